-- Users and the database of a fleet. Run it as a superuser, once on each server; it may be repeated.
--
--   psql -v migrator_password=… -v worker_password=… -v door_password=… -f roles.sql
--
-- A password may be given as a SCRAM verifier (SCRAM-SHA-256$…): then it is in no log of the server. The database is
-- called `callboard`; -v database=… names it otherwise. With -v scaler_password=… the fourth user is made, too.
--
--   callboard_migrator      owns the database and its tables: `callboard db migrate`, and nothing else
--   callboard_worker_login  workers, and operators at the command line: every tenant
--   callboard_door_login    services that start runs: one tenant in each transaction, by row-level security
--   callboard_scaler        what scales workers: two numbers, see scaling.sql

\set ON_ERROR_STOP on
\if :{?database}
\else
\set database callboard
\endif

-- The two groups, which migrating would make as well; made here, the migrator need not be allowed to make roles.
SELECT format('CREATE ROLE %I NOLOGIN', name) FROM unnest('{callboard_worker,callboard_door}'::text[]) AS t (name)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

SELECT format('CREATE ROLE %I LOGIN', name)
FROM unnest('{callboard_migrator,callboard_worker_login,callboard_door_login}'::text[]) AS t (name)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

ALTER ROLE callboard_migrator PASSWORD :'migrator_password';
ALTER ROLE callboard_worker_login PASSWORD :'worker_password';
ALTER ROLE callboard_door_login PASSWORD :'door_password';

-- Who works may also act as a door, which sees one tenant.
GRANT callboard_door TO callboard_worker;
GRANT callboard_door TO callboard_migrator;
GRANT callboard_worker TO callboard_worker_login;
GRANT callboard_door TO callboard_door_login;

SELECT format('CREATE DATABASE %I OWNER callboard_migrator', :'database')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec

REVOKE CONNECT, TEMPORARY ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO callboard_worker, callboard_door;

\if :{?scaler_password}
SELECT 'CREATE ROLE callboard_scaler LOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'callboard_scaler') \gexec
ALTER ROLE callboard_scaler PASSWORD :'scaler_password' CONNECTION LIMIT 5;
GRANT CONNECT ON DATABASE :"database" TO callboard_scaler;
\endif

-- In the database itself: nobody but its owner makes anything in it.
\connect :"database"
ALTER SCHEMA public OWNER TO callboard_migrator;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
