-- get: one payload
SELECT data FROM blobs WHERE tenant = $1 AND hash = $2;
