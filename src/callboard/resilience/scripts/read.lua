local found = redis.call('HMGET', KEYS[1], 'version', 'value', 'at')
if not found[1] then return {'0', '', '0'} end
return {found[1], found[2], text(math.abs(now - tonumber(found[3])))}
