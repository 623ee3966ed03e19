-- ARGV: holder, limit, lease. Scores say since when a place is held.
local lease = tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now - lease))
redis.call('ZREMRANGEBYSCORE', KEYS[1], text(now + lease), '+inf')
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], text(now), ARGV[1])
redis.call('PEXPIRE', KEYS[1], milliseconds(lease))
return 1
