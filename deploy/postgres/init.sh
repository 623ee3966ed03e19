#!/bin/sh
# For the image `postgres`: run once, by its first start, when the data folder is empty. Passwords come from the
# environment into psql by themselves, so that no list of processes shows them.
set -eu
psql --quiet --no-psqlrc --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\set ON_ERROR_STOP on
\getenv migrator_password CALLBOARD_MIGRATOR_PASSWORD
\getenv worker_password CALLBOARD_WORKER_PASSWORD
\getenv door_password CALLBOARD_DOOR_PASSWORD
\i /callboard/roles.sql
SQL
