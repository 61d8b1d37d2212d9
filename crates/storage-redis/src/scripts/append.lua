-- Appends a row to the log of an account, once for each ingress id.
-- KEYS: home, rows, index, owed, waiting, seen of even hours, seen of odd hours.
-- ARGV: epoch, ingress id, time in ms, salt, archived (1/0), owed (1/0), index before and after the order, record.
-- Answers f<epoch>, r<listed><id> or a<listed><id>.
local home = redis.call('HMGET', KEYS[1], 'epoch', 'ms', 'seq', 'listed')
local epoch = home[1] or '0000000000000000'
if epoch ~= ARGV[1] then
  return 'f' .. epoch
end
local ms, seq = tonumber(ARGV[3]), 0
local last = tonumber(home[2] or -1)
-- The log's time never goes back.
local now = math.max(ms, last)
local hour = math.floor(now / 3600000)
for back = 0, 1 do
  local seen = redis.call('HMGET', KEYS[6 + (hour - back) % 2], 'hour', ARGV[2])
  if seen[2] and tonumber(seen[1]) == hour - back then
    -- The time of an id is its first 44 bits.
    if tonumber(string.sub(seen[2], 1, 11), 16) >= now - 3600000 then
      return 'r' .. (home[4] or '0') .. seen[2]
    end
  end
end
if ms <= last then
  ms, seq = last, tonumber(home[3]) + 1
  if seq == 1048576 then
    ms, seq = ms + 1, 0
  end
end
local order = string.format('%08x%08x', math.floor(ms / 4096), (ms % 4096) * 1048576 + seq)
local id = order .. ARGV[4]
if ARGV[5] == '1' then
  redis.call('XADD', KEYS[2], string.format('%.0f-%.0f', ms, seq + 1), 'r', ARGV[9])
  redis.call('ZADD', KEYS[3], 0, ARGV[7] .. order .. ARGV[8])
else
  redis.call('HSET', KEYS[5], id, ARGV[9])
end
if ARGV[6] == '1' then
  redis.call('ZADD', KEYS[4], 0, id)
end
redis.call('HSET', KEYS[1], 'ms', string.format('%.0f', ms), 'seq', seq, 'salt', ARGV[4])
local seen = KEYS[6 + hour % 2]
if tonumber(redis.call('HGET', seen, 'hour') or -1) ~= hour then
  redis.call('DEL', seen)
  redis.call('HSET', seen, 'hour', string.format('%.0f', hour))
  redis.call('EXPIRE', seen, 10800)
end
redis.call('HSET', seen, ARGV[2], id)
return 'a' .. (home[4] or '0') .. id
