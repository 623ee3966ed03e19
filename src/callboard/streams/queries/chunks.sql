-- publish: a batch of many runs; a batch that is sent again is there already
INSERT INTO chunks (tenant, run, epoch, number, path, kind, value)
SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::text[], $6::text[], $7::bytea[])
ON CONFLICT DO NOTHING;

-- newest: where a reader begins who asks for nothing that was
SELECT epoch, number FROM chunks WHERE tenant = $1 AND run = $2 ORDER BY epoch DESC, number DESC LIMIT 1;

-- read: the next page of a run
SELECT epoch, number, path, kind, value FROM chunks
WHERE tenant = $1 AND run = $2 AND (epoch, number) > ($3, $4) ORDER BY epoch, number LIMIT $5;

-- news: which of the readers that wait have something to read, for all of them in one look
SELECT DISTINCT f.run FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[]) AS f (tenant, run, epoch, number)
WHERE EXISTS (
    SELECT 1 FROM chunks c
    WHERE c.tenant = f.tenant AND c.run = f.run AND (c.epoch, c.number) > (f.epoch, f.number)
);

-- trim: a part of what is old; rows that somebody else is deleting are left to them
DELETE FROM chunks WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM chunks WHERE at < clock_timestamp() - make_interval(secs => $1) LIMIT $2 FOR UPDATE SKIP LOCKED
));
