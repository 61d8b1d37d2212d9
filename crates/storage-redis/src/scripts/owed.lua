-- Reads owed rows: a page of them, or those with some ids.
-- KEYS: owed, rows, waiting, replaced. ARGV: 'page', where it begins, how many, how many bytes; or 'ids', the ids.
-- Answers for each row its id, its record, its other payload, whether it is in the archive.
local ids
if ARGV[1] == 'page' then
  ids = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[2], '+', 'LIMIT', 0, ARGV[3])
else
  ids = {}
  for place = 2, #ARGV do
    if redis.call('ZSCORE', KEYS[1], ARGV[place]) then
      ids[#ids + 1] = ARGV[place]
    end
  end
end
local rows, bytes = {}, 0
for place, id in ipairs(ids) do
  if ARGV[1] == 'page' and bytes >= tonumber(ARGV[4]) then
    break
  end
  local record, archived = redis.call('HGET', KEYS[3], id), 0
  if not record then
    local ms, seq = tonumber(string.sub(id, 1, 11), 16), tonumber(string.sub(id, 12, 16), 16)
    local at = string.format('%.0f-%.0f', ms, seq + 1)
    local entry = redis.call('XRANGE', KEYS[2], at, at)[1]
    record, archived = entry and entry[2][2], 1
  end
  bytes = bytes + (record and #record or 0)
  rows[place] = {id, record or false, redis.call('HGET', KEYS[4], id), archived}
end
return rows
