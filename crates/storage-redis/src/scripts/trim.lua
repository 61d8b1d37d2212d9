-- Takes rows out of the archive, and gives up owed ones.
-- KEYS: rows, index, owed, waiting, replaced.
-- ARGV: for each row its id, its place among the rows, its entry in the index if it leaves the archive (or ''),
-- and whether it is given up (1/0).
-- Answers how many have left the archive, and how many are lost.
local removed, lost = 0, 0
for place = 1, #ARGV, 4 do
  local id, at, index, give_up = ARGV[place], ARGV[place + 1], ARGV[place + 2], ARGV[place + 3] == '1'
  local entry = redis.call('XRANGE', KEYS[1], at, at)[1]
  local archived = entry ~= nil
  if index ~= '' and archived then
    redis.call('XDEL', KEYS[1], at)
    redis.call('ZREM', KEYS[2], index)
    archived, removed = false, removed + 1
    if not give_up and redis.call('ZSCORE', KEYS[3], id) then
      redis.call('HSET', KEYS[4], id, entry[2][2])
    end
  end
  if give_up and redis.call('ZREM', KEYS[3], id) == 1 and not archived then
    redis.call('HDEL', KEYS[4], id)
    lost = lost + 1
  end
  if not archived and not redis.call('ZSCORE', KEYS[3], id) then
    redis.call('HDEL', KEYS[5], id)
  end
end
return {removed, lost}
