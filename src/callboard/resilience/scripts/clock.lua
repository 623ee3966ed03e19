-- Redis' own seconds, and numbers written so that nothing of them is lost.
local parts = redis.call('TIME')
local now = tonumber(parts[1]) + tonumber(parts[2]) / 1e6
local function text(number) return string.format('%.17g', number) end
local function milliseconds(seconds) return string.format('%.0f', math.ceil(seconds * 1000)) end

-- How much of the bucket at a key is used by now.
local function level(key, limit, period)
    local found = redis.call('HMGET', key, 'used', 'at')
    if not found[1] then return 0 end
    local leaked = math.abs(now - tonumber(found[2])) * limit / period
    return math.min(math.max(tonumber(found[1]) - leaked, 0), 2 * limit)
end

local function fill(key, used, period)
    redis.call('HSET', key, 'used', text(used), 'at', text(now))
    redis.call('PEXPIRE', key, milliseconds(2 * period))
end
