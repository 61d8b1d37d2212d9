-- Changes records of an account, all or none. KEYS: account, kinds, and for each kind its records and its terms.
-- ARGV: limit in bytes, number of kinds, the kinds, and for each change p, nth kind, name, value, terms;
-- r, nth kind, name; or c, nth kind.
-- Answers -1 without an account, -2 when there is no room, or the terms that records had: nth kind, name, terms, ...
if redis.call('EXISTS', KEYS[1]) == 0 then
  return -1
end
local limit, kinds = tonumber(ARGV[1]), tonumber(ARGV[2])
local after, order = {}, {}
local function touch(kind, name)
  local field = kind .. ' ' .. name
  if not after[field] then
    after[field] = {kind = tonumber(kind), name = name}
    order[#order + 1] = after[field]
  end
  return after[field]
end
local place = 3 + kinds
while place <= #ARGV do
  local what, kind, name = ARGV[place], ARGV[place + 1], ARGV[place + 2]
  if what == 'p' then
    local record = touch(kind, name)
    record.value, record.terms = ARGV[place + 3], ARGV[place + 4]
    place = place + 5
  elseif what == 'r' then
    touch(kind, name).value = nil
    place = place + 3
  else
    for _, record in ipairs(order) do
      if record.kind == tonumber(kind) then
        record.value = nil
      end
    end
    for _, each in ipairs(redis.call('HKEYS', KEYS[1 + 2 * tonumber(kind)])) do
      touch(kind, each).value = nil
    end
    place = place + 2
  end
end
local before = tonumber(redis.call('HGET', KEYS[1], 'bytes') or 0)
local bytes, changed = before, false
for _, record in ipairs(order) do
  local was = redis.call('HGET', KEYS[1 + 2 * record.kind], record.name)
  if was then
    bytes = bytes - #record.name - #was
  end
  if record.value then
    bytes = bytes + #record.name + #record.value
  end
  changed = changed or (was or nil) ~= record.value
end
if changed and bytes > limit and bytes >= before then
  return -2
end
local gone = {}
for _, record in ipairs(order) do
  local values, terms = KEYS[1 + 2 * record.kind], KEYS[2 + 2 * record.kind]
  local had = redis.call('HGET', terms, record.name)
  if had then
    gone[#gone + 1] = record.kind
    gone[#gone + 1] = record.name
    gone[#gone + 1] = had
    redis.call('HDEL', terms, record.name)
  end
  if record.value then
    redis.call('HSET', values, record.name, record.value)
    redis.call('SADD', KEYS[2], ARGV[2 + record.kind])
    if record.terms ~= '' then
      redis.call('HSET', terms, record.name, record.terms)
    end
  else
    redis.call('HDEL', values, record.name)
  end
end
redis.call('HSET', KEYS[1], 'bytes', string.format('%.0f', bytes))
return gone
