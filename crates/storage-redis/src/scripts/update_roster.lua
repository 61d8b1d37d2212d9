-- Changes a roster. KEYS: account, roster, tombstones.
-- ARGV: version, floor, and for each change p, jid, item; f, jid; or r, jid, version.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
local place = 3
while place <= #ARGV do
  local kind, jid = ARGV[place], ARGV[place + 1]
  place = place + 2
  if kind == 'p' then
    redis.call('ZREM', KEYS[3], jid)
    redis.call('HSET', KEYS[2], jid, ARGV[place])
    place = place + 1
  elseif kind == 'f' then
    redis.call('HDEL', KEYS[2], jid)
  else
    redis.call('HDEL', KEYS[2], jid)
    redis.call('ZADD', KEYS[3], ARGV[place], jid)
    place = place + 1
  end
end
redis.call('HSET', KEYS[1], 'roster_version', ARGV[1], 'roster_floor', ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', '(' .. ARGV[2])
return 1
