/**
 * What shared/instances/directory.ts does, as scripts: Redis runs each of them as a whole, by its own clock.
 * They take and return text, and numbers as text, which Lua would round.
 */

/** Sets `now`, and what says whether an instance has a lease now. */
const BEGINNING = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local leases = KEYS[1]
local lasts = tonumber(ARGV[2])
local function isLive(instance)
  local till = redis.call('HGET', leases, instance)
  return till and tonumber(till) > now and tonumber(till) <= now + lasts
end
local self = ARGV[1]
`;

/**
 * Keys: leases, era, and those of rooms to keep. Arguments: the instance, how long leases last, whether it is
 * new, the latest era that it knows, how long records last.
 */
export const RENEW = `${BEGINNING}
if ARGV[3] == '0' and redis.call('HEXISTS', leases, self) == 0 then return { 'unknown' } end
for _, instance in ipairs(redis.call('HKEYS', leases)) do
  if instance ~= self and not isLive(instance) then redis.call('HDEL', leases, instance) end
end
redis.call('HSET', leases, self, string.format('%.0f', now + lasts))
if tonumber(ARGV[4]) > tonumber(redis.call('GET', KEYS[2]) or 0) then
  redis.call('SET', KEYS[2], ARGV[4])
end
for at = 3, #KEYS do
  if redis.call('GET', KEYS[at]) == self then redis.call('PEXPIRE', KEYS[at], ARGV[5]) end
end
return { 'renewed', unpack(redis.call('HKEYS', leases)) }
`;

/**
 * Keys: leases, era, and that of the room. Arguments: the instance, how long leases last, an era that the
 * room was in, how many eras a grant leaves to the one before, how long records last.
 */
export const CLAIM = `${BEGINNING}
if not isLive(self) then return { 'unknown' } end
local owner = redis.call('GET', KEYS[3])
if owner and owner ~= self then
  if isLive(owner) then return { 'held', owner } end
  redis.call('HDEL', leases, owner)
end
local last = tonumber(redis.call('GET', KEYS[2]) or 0)
local era = string.format('%.0f', math.max(now, last + ARGV[4], ARGV[3] + 1))
redis.call('SET', KEYS[2], era)
redis.call('SET', KEYS[3], self, 'PX', ARGV[5])
return { 'granted', era, owner and '1' or '0' }
`;

/** Key: that of the room. Argument: the instance. */
export const RELEASE = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return { 'done' }
`;

/** Key: leases. Argument: the instance. */
export const DRAIN = `
redis.call('HDEL', KEYS[1], ARGV[1])
return { 'done' }
`;
