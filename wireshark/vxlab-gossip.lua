--[[
Gossip of a Docker swarm for Wireshark and tshark (4.0 or later): hashicorp memberlist on UDP and TCP port 7946, and what it
carries, moby's networkdb with the tables endpoint_table and overlay_peer_table.

    tshark -X lua_script:vxlab-gossip.lua -r capture.pcapng -Y networkdb
    tshark -X lua_script:vxlab-gossip.lua -o memberlist.keylog:capture.gossip-keys.txt -r capture.pcapng

Gossip in clear is read as it is. Sealed gossip (AES-GCM) is opened with the keys of the file that the preference memberlist.keylog
names: 32, 48 or 64 hexadecimal digits a line. Sources: memberlist net.go, util.go, security.go; moby networkdb.proto.
]]

-- Numbers of 32 bits: Lua 5.1 and 5.2 in Wireshark have a library for them, 5.3 and later have operators.
local ops = bit or bit32
if ops == nil then
  ops = load([[
    local function signed(x) x = x & 0xffffffff; return x >= 0x80000000 and x - 0x100000000 or x end
    return {
      band = function(a, b) return signed(a & b) end, bor = function(a, b) return signed(a | b) end,
      bxor = function(a, b) return signed(a ~ b) end, lshift = function(a, n) return signed(a << n) end,
      rshift = function(a, n) return signed((a & 0xffffffff) >> n) end,
    }]])()
end
local band, bor, bxor, lshift, rshift = ops.band, ops.bor, ops.bxor, ops.lshift, ops.rshift

local memberlist = Proto("memberlist", "Memberlist gossip")
local networkdb = Proto("networkdb", "Docker networkdb")

local TYPES = {
  [0] = "Ping", [1] = "Indirect ping", [2] = "Ack", [3] = "Suspect", [4] = "Alive", [5] = "Dead", [6] = "Push-pull",
  [7] = "Compound", [8] = "User", [9] = "Compressed", [10] = "Encrypted", [11] = "Nack", [12] = "CRC", [13] = "Error",
  [244] = "Label",
}
local STATES = { [0] = "alive", [1] = "suspect", [2] = "dead", [3] = "left" }
local NETWORKDB_TYPES = {
  [1] = "Network event", [2] = "Table event", [3] = "Push-pull", [4] = "Bulk sync", [5] = "Compound", [6] = "Node event",
}
local MEMBERSHIPS = { [1] = "JOIN", [2] = "LEAVE" }
local OPERATIONS = { [1] = "CREATE", [2] = "UPDATE", [3] = "DELETE" }
local PROTOCOLS = { [0] = "TCP", [1] = "UDP", [2] = "SCTP" }

local f = {
  type = ProtoField.uint8("memberlist.type", "Message type", base.DEC, TYPES),
  sealed = ProtoField.bool("memberlist.sealed", "Sealed"),
  version = ProtoField.uint8("memberlist.encryption_version", "Encryption version"),
  nonce = ProtoField.bytes("memberlist.nonce", "Nonce"),
  tag = ProtoField.bytes("memberlist.tag", "Authentication tag"),
  ciphertext = ProtoField.bytes("memberlist.ciphertext", "Ciphertext"),
  key = ProtoField.string("memberlist.key", "Key"),
  crc = ProtoField.uint32("memberlist.crc", "CRC-32", base.HEX),
  crc_ok = ProtoField.bool("memberlist.crc.good", "CRC is right"),
  compressed = ProtoField.bool("memberlist.compressed", "Compressed"),
  parts = ProtoField.uint8("memberlist.parts", "Parts"),
  node = ProtoField.string("memberlist.node", "Node"),
  from = ProtoField.string("memberlist.from", "Accuser"),
  sequence = ProtoField.uint32("memberlist.sequence", "Sequence number"),
  incarnation = ProtoField.uint32("memberlist.incarnation", "Incarnation"),
  address = ProtoField.ipv4("memberlist.address", "Address"),
  port = ProtoField.uint16("memberlist.port", "Port"),
  source_node = ProtoField.string("memberlist.source_node", "Source node"),
  source_address = ProtoField.ipv4("memberlist.source_address", "Source address"),
  source_port = ProtoField.uint16("memberlist.source_port", "Source port"),
  target = ProtoField.ipv4("memberlist.target", "Target"),
  nack = ProtoField.bool("memberlist.nack", "Nack wanted"),
  meta = ProtoField.bytes("memberlist.meta", "Meta"),
  versions = ProtoField.bytes("memberlist.versions", "Versions"),
  payload = ProtoField.bytes("memberlist.payload", "Payload"),
  join = ProtoField.bool("memberlist.join", "Join"),
  nodes = ProtoField.uint32("memberlist.nodes", "Nodes"),
  state_length = ProtoField.uint32("memberlist.user_state_length", "Length of user state"),
  user_length = ProtoField.uint32("memberlist.user_length", "Length of user message"),
  state = ProtoField.uint8("memberlist.state", "State", base.DEC, STATES),
  error = ProtoField.string("memberlist.error", "Error"),
  undecoded = ProtoField.string("memberlist.undecoded", "Not decoded"),
}
memberlist.fields = f

local n = {
  type = ProtoField.uint8("networkdb.type", "Message type", base.DEC, NETWORKDB_TYPES),
  membership = ProtoField.uint8("networkdb.membership", "Event", base.DEC, MEMBERSHIPS),
  operation = ProtoField.uint8("networkdb.operation", "Event", base.DEC, OPERATIONS),
  time = ProtoField.uint64("networkdb.ltime", "Lamport time"),
  node = ProtoField.string("networkdb.node", "Node"),
  network = ProtoField.string("networkdb.network", "Network"),
  table = ProtoField.string("networkdb.table", "Table"),
  key = ProtoField.string("networkdb.key", "Key"),
  value = ProtoField.bytes("networkdb.value", "Value"),
  reap = ProtoField.uint32("networkdb.reap", "Seconds until reaped"),
  leaving = ProtoField.bool("networkdb.leaving", "Leaving"),
  unsolicited = ProtoField.bool("networkdb.unsolicited", "Unsolicited"),
  undecoded = ProtoField.string("networkdb.undecoded", "Not decoded"),
  peer_address = ProtoField.string("networkdb.peer.address", "Endpoint address"),
  peer_mac = ProtoField.string("networkdb.peer.mac", "Endpoint MAC address"),
  peer_vtep = ProtoField.string("networkdb.peer.vtep", "Tunnel endpoint"),
  name = ProtoField.string("networkdb.endpoint.name", "Name"),
  service = ProtoField.string("networkdb.endpoint.service", "Service"),
  service_id = ProtoField.string("networkdb.endpoint.service_id", "Service id"),
  virtual_address = ProtoField.string("networkdb.endpoint.vip", "Virtual address"),
  endpoint_address = ProtoField.string("networkdb.endpoint.address", "Endpoint address"),
  alias = ProtoField.string("networkdb.endpoint.alias", "Alias"),
  task_alias = ProtoField.string("networkdb.endpoint.task_alias", "Task alias"),
  disabled = ProtoField.bool("networkdb.endpoint.disabled", "Service disabled"),
  port_name = ProtoField.string("networkdb.endpoint.port.name", "Port name"),
  port_protocol = ProtoField.uint8("networkdb.endpoint.port.protocol", "Protocol", base.DEC, PROTOCOLS),
  target_port = ProtoField.uint16("networkdb.endpoint.port.target", "Target port"),
  published_port = ProtoField.uint16("networkdb.endpoint.port.published", "Published port"),
}
networkdb.fields = n

memberlist.prefs.keylog = Pref.string("Key log", "", "A file with the keys of the gossip ring, one in hexadecimal a line")

-- What is wrong with the bytes; caught where a packet begins to be dissected.
local function refuse(why) error({ refused = why }, 0) end

---------------------------------------------------------------- AES-GCM, NIST SP 800-38D, for opening alone

local SBOX, TABLES = {}, { {}, {}, {}, {} }
do
  local power, log, x = {}, {}, 1
  for i = 0, 255 do
    power[i], log[x] = x, i
    local twice = lshift(x, 1)
    if twice > 255 then twice = bxor(twice, 0x11b) end
    x = bxor(x, twice) -- times 3
  end
  log[1] = 0
  local function times(a, b)
    if a == 0 or b == 0 then return 0 end
    return power[(log[a] + log[b]) % 255]
  end
  for i = 0, 255 do
    local inverse = i == 0 and 0 or power[(255 - log[i]) % 255]
    local s = inverse
    for turn = 1, 4 do s = bxor(s, band(bor(lshift(inverse, turn), rshift(inverse, 8 - turn)), 255)) end
    SBOX[i] = bxor(s, 0x63)
  end
  for i = 0, 255 do
    local s = SBOX[i]
    local two, three = times(s, 2), times(s, 3)
    TABLES[1][i] = bor(bor(lshift(two, 24), lshift(s, 16)), bor(lshift(s, 8), three))
    TABLES[2][i] = bor(bor(lshift(three, 24), lshift(two, 16)), bor(lshift(s, 8), s))
    TABLES[3][i] = bor(bor(lshift(s, 24), lshift(three, 16)), bor(lshift(two, 8), s))
    TABLES[4][i] = bor(bor(lshift(s, 24), lshift(s, 16)), bor(lshift(three, 8), two))
  end
end

local function word(text, at)
  local a, b, c, d = text:byte(at, at + 3)
  return bor(bor(lshift(a or 0, 24), lshift(b or 0, 16)), bor(lshift(c or 0, 8), d or 0))
end
local function text_of(w)
  return string.char(rshift(w, 24), band(rshift(w, 16), 255), band(rshift(w, 8), 255), band(w, 255))
end
local function substituted(w)
  return bor(
    bor(lshift(SBOX[rshift(w, 24)], 24), lshift(SBOX[band(rshift(w, 16), 255)], 16)),
    bor(lshift(SBOX[band(rshift(w, 8), 255)], 8), SBOX[band(w, 255)]))
end

-- Round keys, as a list of words.
local function expanded(key)
  local words, count, constant = {}, #key / 4, 1
  for i = 0, count - 1 do words[i] = word(key, 4 * i + 1) end
  local rounds = count + 6
  for i = count, 4 * (rounds + 1) - 1 do
    local w = words[i - 1]
    if i % count == 0 then
      w = bxor(substituted(bor(lshift(w, 8), rshift(w, 24))), lshift(constant, 24))
      constant = lshift(constant, 1)
      if constant > 255 then constant = bxor(constant, 0x11b) end
    elseif count > 6 and i % count == 4 then
      w = substituted(w)
    end
    words[i] = bxor(words[i - count], w)
  end
  return { words = words, rounds = rounds }
end

local function encrypted(schedule, a, b, c, d)
  local k, t1, t2, t3, t4 = schedule.words, TABLES[1], TABLES[2], TABLES[3], TABLES[4]
  a, b, c, d = bxor(a, k[0]), bxor(b, k[1]), bxor(c, k[2]), bxor(d, k[3])
  local function mixed(w, x, y, z, key)
    return bxor(bxor(bxor(t1[rshift(w, 24)], t2[band(rshift(x, 16), 255)]),
      bxor(t3[band(rshift(y, 8), 255)], t4[band(z, 255)])), key)
  end
  local function last(w, x, y, z, key)
    return bxor(bor(bor(lshift(SBOX[rshift(w, 24)], 24), lshift(SBOX[band(rshift(x, 16), 255)], 16)),
      bor(lshift(SBOX[band(rshift(y, 8), 255)], 8), SBOX[band(z, 255)])), key)
  end
  local at = 4
  for _ = 1, schedule.rounds - 1 do
    a, b, c, d = mixed(a, b, c, d, k[at]), mixed(b, c, d, a, k[at + 1]), mixed(c, d, a, b, k[at + 2]), mixed(d, a, b, c, k[at + 3])
    at = at + 4
  end
  return last(a, b, c, d, k[at]), last(b, c, d, a, k[at + 1]), last(c, d, a, b, k[at + 2]), last(d, a, b, c, k[at + 3])
end

-- H times each power of x: a product is then the sum of those whose bits are set.
local function multiples(schedule)
  local a, b, c, d = encrypted(schedule, 0, 0, 0, 0)
  local list = {}
  for i = 0, 127 do
    list[i] = { a, b, c, d }
    local odd = band(d, 1)
    d = bor(rshift(d, 1), lshift(band(c, 1), 31))
    c = bor(rshift(c, 1), lshift(band(b, 1), 31))
    b = bor(rshift(b, 1), lshift(band(a, 1), 31))
    a = rshift(a, 1)
    if odd == 1 then a = bxor(a, 0xe1000000) end
  end
  return list
end

local function hashed(list, sum, text)
  local padded = text .. string.rep("\0", (16 - #text % 16) % 16)
  for at = 1, #padded, 16 do
    local product = { 0, 0, 0, 0 }
    for w = 1, 4 do
      local bits = bxor(sum[w], word(padded, at + 4 * (w - 1)))
      for i = 0, 31 do
        if bits == 0 then break end
        if band(bits, 0x80000000) ~= 0 then
          local m = list[32 * (w - 1) + i]
          product[1], product[2] = bxor(product[1], m[1]), bxor(product[2], m[2])
          product[3], product[4] = bxor(product[3], m[3]), bxor(product[4], m[4])
        end
        bits = lshift(bits, 1)
      end
    end
    sum = product
  end
  return sum
end

-- The plaintext, or nil when the key does not fit.
local function opened(key, nonce, ciphertext, tag, additional)
  key.schedule = key.schedule or expanded(key.bytes)
  key.multiples = key.multiples or multiples(key.schedule)
  local x, y, z = word(nonce, 1), word(nonce, 5), word(nonce, 9)
  local sum = hashed(key.multiples, { 0, 0, 0, 0 }, additional)
  sum = hashed(key.multiples, sum, ciphertext)
  sum = hashed(key.multiples, sum, text_of(0) .. text_of(8 * #additional) .. text_of(0) .. text_of(8 * #ciphertext))
  local a, b, c, d = encrypted(key.schedule, x, y, z, 1)
  if text_of(bxor(sum[1], a)) .. text_of(bxor(sum[2], b)) .. text_of(bxor(sum[3], c)) .. text_of(bxor(sum[4], d)) ~= tag then
    return nil
  end
  local blocks = {}
  for at = 1, #ciphertext, 16 do
    a, b, c, d = encrypted(key.schedule, x, y, z, 1 + (at + 15) / 16)
    blocks[#blocks + 1] = text_of(bxor(a, word(ciphertext, at))) .. text_of(bxor(b, word(ciphertext, at + 4)))
      .. text_of(bxor(c, word(ciphertext, at + 8))) .. text_of(bxor(d, word(ciphertext, at + 12)))
  end
  return table.concat(blocks):sub(1, #ciphertext)
end

local keys, keys_from = {}, nil
local function ring()
  local name = memberlist.prefs.keylog
  if keys_from == name then return keys end
  keys, keys_from = {}, name
  local file = name ~= "" and io.open(name, "r") or nil
  if file == nil then return keys end
  for line in file:lines() do
    for hex in line:gmatch("%x+") do
      if #hex == 32 or #hex == 48 or #hex == 64 then
        local bytes = hex:gsub("%x%x", function(two) return string.char(tonumber(two, 16)) end)
        keys[#keys + 1] = { hex = hex, bytes = bytes }
      end
    end
  end
  file:close()
  return keys
end

---------------------------------------------------------------- LZW as Go's compress/lzw: LSB first, literals of 8 bits

local function decompressed(text)
  local words, highest, overflow, width, last = {}, 257, 512, 9, nil
  local out, bits, count, at = {}, 0, 0, 1
  for i = 0, 255 do words[i] = string.char(i) end
  while true do
    while count < width do
      local byte = text:byte(at)
      if byte == nil then refuse("compressed bytes end before their end code") end
      bits, count, at = bits + byte * 2 ^ count, count + 8, at + 1
    end
    local code = bits % 2 ^ width
    bits, count = math.floor(bits / 2 ^ width), count - width
    if code == 257 then break end
    if code == 256 then
      highest, overflow, width, last = 257, 512, 9, nil
    else
      local phrase
      if code == highest and code > 257 and last ~= nil then phrase = last .. last:sub(1, 1)
      elseif code < 256 or code < highest then phrase = words[code] end
      if phrase == nil then refuse("a compression code that is not made yet") end
      out[#out + 1] = phrase
      if last ~= nil then words[highest] = last .. phrase:sub(1, 1) end
      last, highest = phrase, highest + 1
      if highest >= overflow then
        if width == 12 then last, highest = nil, highest - 1 else width, overflow = width + 1, overflow * 2 end
      end
    end
  end
  return table.concat(out)
end

local CRC = {}
for i = 0, 255 do
  local value = i
  for _ = 1, 8 do
    value = band(value, 1) == 1 and bxor(rshift(value, 1), 0xedb88320) or rshift(value, 1)
  end
  CRC[i] = value
end
local function crc32(text)
  local sum = bxor(0xffffffff, 0)
  for i = 1, #text do sum = bxor(rshift(sum, 8), CRC[band(bxor(sum, text:byte(i)), 255)]) end
  return bxor(sum, 0xffffffff) % 2 ^ 32
end

local function buffer_of(text, name) return ByteArray.new(text, true):tvb(name) end

---------------------------------------------------------------- MessagePack, old raw dialect

-- Head and length of a scalar at `at`: kind, where its bytes start, how many they are. Nothing when the buffer ends before that is known.
local function scalar(tvb, at)
  local left = tvb:len() - at
  if left < 1 then return nil end
  local head = tvb(at, 1):uint()
  if head <= 0x7f then return "number", at, 1 end
  if head >= 0xa0 and head <= 0xbf then return "raw", at + 1, head - 0xa0 end
  if head == 0xc0 then return "nil", at, 1 end
  if head == 0xc2 or head == 0xc3 then return "bool", at, 1 end
  local long = ({ [0xc4] = 1, [0xd9] = 1, [0xc5] = 2, [0xda] = 2, [0xc6] = 4, [0xdb] = 4 })[head]
  if long ~= nil then
    if left < 1 + long then return nil end
    return "raw", at + 1 + long, tvb(at + 1, long):uint()
  end
  local size = ({ [0xcc] = 1, [0xd0] = 1, [0xcd] = 2, [0xd1] = 2, [0xce] = 4, [0xd2] = 4, [0xcf] = 8, [0xd3] = 8 })[head]
  if size == nil then refuse(string.format("no MessagePack scalar: 0x%02x", head)) end
  return "number", at + 1, size
end

-- { { key =, kind =, range = , value = }, ... } and where the map ends; nothing when the buffer ends before.
local function map_at(tvb, at)
  if tvb:len() <= at then return nil end
  local head, count = tvb(at, 1):uint(), nil
  if head >= 0x80 and head <= 0x8f then count, at = head - 0x80, at + 1
  elseif head == 0xde then
    if tvb:len() < at + 3 then return nil end
    count, at = tvb(at + 1, 2):uint(), at + 3
  else refuse(string.format("no MessagePack map: 0x%02x", head)) end
  local fields = {}
  for _ = 1, count do
    local kind, start, length = scalar(tvb, at)
    if kind == nil or start + length > tvb:len() then return nil end
    if kind ~= "raw" then refuse("a MessagePack key that is no text") end
    local field = { key = length == 0 and "" or tvb(start, length):string() }
    at = start + length
    kind, start, length = scalar(tvb, at)
    if kind == nil or start + length > tvb:len() then return nil end
    field.kind, field.start, field.length = kind, start, length
    if length > 0 then field.range = tvb(start, length) end
    if kind == "bool" then field.value = field.range:uint() == 0xc3
    elseif kind == "number" then field.value = length == 8 and field.range:uint64():tonumber() or field.range:uint()
    elseif kind == "raw" then field.value = length == 0 and "" or field.range:string() end
    at = start + length
    fields[#fields + 1] = field
    fields[field.key] = field
  end
  return fields, at
end

local SHOWN = {
  Node = f.node, Name = f.node, From = f.from, SeqNo = f.sequence, Incarnation = f.incarnation, Addr = f.address, Port = f.port,
  SourceAddr = f.source_address, SourceNode = f.source_node, SourcePort = f.source_port, Target = f.target, Nack = f.nack,
  Meta = f.meta, Vsn = f.versions, Payload = f.payload, Join = f.join, Nodes = f.nodes, UserStateLen = f.state_length,
  UserMsgLen = f.user_length, State = f.state, Error = f.error,
}
local ADDRESSES = { Addr = true, SourceAddr = true, Target = true }

local function show(tree, fields)
  for _, field in ipairs(fields) do
    local shown = SHOWN[field.key]
    if shown ~= nil and field.range ~= nil and field.kind ~= "nil" then
      if field.kind == "bool" then tree:add(shown, field.range, field.value)
      elseif field.kind == "number" then tree:add(shown, field.range, field.value)
      elseif ADDRESSES[field.key] and field.length ~= 4 then refuse("an address of " .. field.length .. " bytes")
      else tree:add(shown, field.range) end
    end
  end
end

local function value(fields, key)
  local field = fields[key]
  return field ~= nil and field.value or nil
end

---------------------------------------------------------------- Protocol Buffers and networkdb

-- Calls handle[number](range or number, range) for each field.
local function protobuf(tvb, handle)
  local at, length = 0, tvb:len()
  local function varint()
    local sum, unit, start = 0, 1, at
    while true do
      if at >= length or at - start > 9 then refuse("a varint without end") end
      local byte = tvb(at, 1):uint()
      at, sum, unit = at + 1, sum + (byte % 128) * unit, unit * 128
      if byte < 128 then return sum, tvb(start, at - start) end
    end
  end
  while at < length do
    local tag = varint()
    local number, kind = math.floor(tag / 8), tag % 8
    if kind == 0 then
      local sum, range = varint()
      if handle[number] then handle[number](sum, range) end
    elseif kind == 2 then
      local size = varint()
      if size > length - at then refuse("a field longer than its message") end
      if handle[number] then handle[number](size == 0 and nil or tvb(at, size), nil) end
      at = at + size
    elseif kind == 1 or kind == 5 then
      at = at + (kind == 1 and 8 or 4)
      if at > length then refuse("a field longer than its message") end
    else refuse("Protocol Buffers wire type " .. kind) end
  end
end

local function text_field(tree, shown, note)
  return function(range)
    if range == nil then return end
    tree:add(shown, range)
    if note then note(range:string()) end
  end
end
local function number_field(tree, shown, note)
  return function(number, range)
    tree:add(shown, range, number)
    if note then note(number) end
  end
end
local function flag_field(tree, shown)
  return function(number, range) tree:add(shown, range, number ~= 0) end
end
local function time_field(tree, note)
  return function(number, range)
    tree:add(n.time, range, UInt64.new(number % 2 ^ 32, math.floor(number / 2 ^ 32)))
    if note then note(number) end
  end
end

local function records(tree, table_name, range)
  local tvb = range:tvb()
  local shown, what = tree:add(n.value, range), ""
  if table_name == "overlay_peer_table" then
    protobuf(tvb, {
      text_field(shown, n.peer_address, function(text) what = text end),
      text_field(shown, n.peer_mac, function(text) what = what .. " " .. text end),
      text_field(shown, n.peer_vtep, function(text) what = what .. " at " .. text end),
    })
  elseif table_name == "endpoint_table" then
    protobuf(tvb, {
      text_field(shown, n.name, function(text) what = text end),
      text_field(shown, n.service),
      text_field(shown, n.service_id),
      text_field(shown, n.virtual_address),
      text_field(shown, n.endpoint_address, function(text) what = what .. " " .. text end),
      function(port)
        if port == nil then return end
        local branch = shown:add(port, "Port")
        protobuf(port:tvb(), {
          text_field(branch, n.port_name),
          number_field(branch, n.port_protocol),
          number_field(branch, n.target_port),
          number_field(branch, n.published_port),
        })
      end,
      text_field(shown, n.alias),
      text_field(shown, n.task_alias),
      flag_field(shown, n.disabled),
    })
  end
  return what
end

local networkdb_message

local NETWORKDB = {
  [1] = function(tvb, tree, info)
    local event, node, network = "?", "", ""
    protobuf(tvb, {
      number_field(tree, n.membership, function(number) event = MEMBERSHIPS[number] or event end),
      time_field(tree),
      text_field(tree, n.node, function(text) node = text end),
      text_field(tree, n.network, function(text) network = text end),
    })
    info[#info + 1] = string.format("network %s %s %s", event, network:sub(1, 12), node)
  end,
  [2] = function(tvb, tree, info)
    local event, name, key, what = "?", "", "", ""
    protobuf(tvb, {
      number_field(tree, n.operation, function(number) event = OPERATIONS[number] or event end),
      time_field(tree),
      text_field(tree, n.node),
      text_field(tree, n.network),
      text_field(tree, n.table, function(text) name = text end),
      text_field(tree, n.key, function(text) key = text end),
      function(range) if range ~= nil then what = records(tree, name, range) end end,
      number_field(tree, n.reap),
    })
    info[#info + 1] = string.format("%s %s %s", event, name, what ~= "" and what or key:sub(1, 12))
  end,
  [3] = function(tvb, tree, info)
    local count = 0
    protobuf(tvb, {
      time_field(tree),
      function(range)
        if range == nil then return end
        count = count + 1
        local branch = tree:add(range, "Network")
        protobuf(range:tvb(), {
          text_field(branch, n.network), time_field(branch), text_field(branch, n.node), flag_field(branch, n.leaving),
        })
      end,
      text_field(tree, n.node),
    })
    info[#info + 1] = "networks of nodes: " .. count
  end,
  [4] = function(tvb, tree, info)
    info[#info + 1] = "bulk sync"
    protobuf(tvb, {
      time_field(tree),
      flag_field(tree, n.unsolicited),
      text_field(tree, n.node),
      text_field(tree, n.network),
      function(range) if range ~= nil then networkdb_message(range:tvb(), tree, info) end end,
    })
  end,
  [5] = function(tvb, tree, info)
    protobuf(tvb, {
      function(range)
        if range == nil then return end
        protobuf(range:tvb(), {
          function(inner) if inner ~= nil then networkdb_message(inner:tvb(), tree, info) end end,
        })
      end,
    })
  end,
  [6] = function(tvb, tree, info)
    local event, node = "?", ""
    protobuf(tvb, {
      number_field(tree, n.membership, function(number) event = MEMBERSHIPS[number] or event end),
      time_field(tree),
      text_field(tree, n.node, function(text) node = text end),
    })
    info[#info + 1] = string.format("node %s %s", event, node)
  end,
}

networkdb_message = function(tvb, tree, info)
  local branch, kind, data = tree:add(networkdb, tvb(), "networkdb"), nil, nil
  protobuf(tvb, {
    function(number, range)
      kind = number
      branch:add(n.type, range, number)
    end,
    function(range) data = range end,
  })
  local dissect = NETWORKDB[kind]
  if dissect == nil then refuse("networkdb message of type " .. tostring(kind)) end
  branch:append_text(": " .. NETWORKDB_TYPES[kind])
  if data ~= nil then dissect(data:tvb(), branch, info) end
end

function networkdb.dissector(tvb, pinfo, tree)
  networkdb_message(tvb, tree, {})
  return tvb:len()
end

---------------------------------------------------------------- memberlist

local message, plain

local function described(kind, fields)
  local node = value(fields, "Node") or ""
  if kind == 0 then return string.format("ping %s #%d", node, value(fields, "SeqNo") or 0) end
  if kind == 1 then return string.format("indirect ping %s #%d", node, value(fields, "SeqNo") or 0) end
  if kind == 2 then return string.format("ack #%d", value(fields, "SeqNo") or 0) end
  if kind == 11 then return string.format("nack #%d", value(fields, "SeqNo") or 0) end
  if kind == 3 then return string.format("suspect %s by %s", node, value(fields, "From") or "") end
  if kind == 4 then return string.format("alive %s (%d)", node, value(fields, "Incarnation") or 0) end
  if kind == 5 then
    if value(fields, "From") == node then return "left " .. node end
    return string.format("dead %s by %s", node, value(fields, "From") or "")
  end
  return "error: " .. (value(fields, "Error") or "")
end

local function push_pull(tvb, tree, info)
  local header, at = map_at(tvb, 1)
  if header == nil then refuse("a push-pull is cut short") end
  show(tree, header)
  for _ = 1, value(header, "Nodes") or 0 do
    local start, node = at, nil
    node, at = map_at(tvb, start)
    if node == nil then refuse("a node's state is cut short") end
    local branch = tree:add(tvb(start, at - start), string.format("Node %s, %s", value(node, "Name") or "", STATES[value(node, "State")] or "?"))
    show(branch, node)
  end
  info[#info + 1] = string.format("push-pull%s of %d nodes", value(header, "Join") and " (join)" or "", value(header, "Nodes") or 0)
  local length = value(header, "UserStateLen") or 0
  if length > tvb:len() - at then refuse("the user state is cut short") end
  if length > 0 then networkdb_message(tvb(at, length):tvb(), tree, info) end
end

-- One message from its type byte to the buffer's end. On streams user messages say how long they are.
message = function(tvb, tree, info, is_stream)
  if tvb:len() == 0 then refuse("an empty message") end
  local kind = tvb(0, 1):uint()
  local branch = tree:add(tvb(), TYPES[kind] or "Unknown")
  branch:add(f.type, tvb(0, 1))
  if kind == 8 then
    local at = 1
    if is_stream then
      local fields
      fields, at = map_at(tvb, 1)
      if fields == nil then refuse("a user message is cut short") end
      show(branch, fields)
      if (value(fields, "UserMsgLen") or 0) > tvb:len() - at then refuse("a user message is cut short") end
    end
    if tvb:len() > at then networkdb_message(tvb(at):tvb(), branch, info) end
  elseif kind == 6 then
    push_pull(tvb, branch, info)
  elseif kind <= 5 or kind == 11 or kind == 13 then
    local fields = map_at(tvb, 1)
    if fields == nil then refuse("a message is cut short") end
    show(branch, fields)
    info[#info + 1] = described(kind, fields)
    branch:append_text(": " .. info[#info])
  else
    refuse("a message of type " .. kind)
  end
end

-- Below the encryption: checksum, compression, compound.
plain = function(tvb, tree, info, is_stream)
  if tvb:len() == 0 then refuse("an empty packet") end
  local kind = tvb(0, 1):uint()
  if kind == 12 and not is_stream then
    if tvb:len() <= 5 then refuse("nothing after a checksum") end
    local rest = tvb(5):raw()
    tree:add(f.type, tvb(0, 1))
    tree:add(f.crc, tvb(1, 4))
    local good = crc32(rest) == tvb(1, 4):uint()
    tree:add(f.crc_ok, tvb(1, 4), good)
    if not good then refuse("a wrong checksum") end
    return plain(tvb(5):tvb(), tree, info, is_stream)
  end
  if kind == 9 then
    local fields = map_at(tvb, 1)
    if fields == nil or fields.Buf == nil or fields.Buf.range == nil then refuse("a compressed message is cut short") end
    if value(fields, "Algo") ~= 0 then refuse("compression other than LZW") end
    tree:add(f.type, tvb(0, 1))
    tree:add(f.compressed, tvb(), true)
    local text = decompressed(fields.Buf.range:raw())
    if #text == 0 then refuse("an empty packet") end
    return plain(buffer_of(text, "Decompressed gossip"), tree, info, is_stream)
  end
  if kind == 7 and not is_stream then
    if tvb:len() < 2 then refuse("a compound is cut short") end
    local count = tvb(1, 1):uint()
    local at = 2 + 2 * count
    if at > tvb:len() then refuse("a compound is cut short") end
    local branch = tree:add(tvb(), "Compound")
    branch:add(f.type, tvb(0, 1))
    branch:add(f.parts, tvb(1, 1))
    for index = 0, count - 1 do
      local length = tvb(2 + 2 * index, 2):uint()
      if length > tvb:len() - at then refuse("a part of a compound is cut short") end
      if length > 0 then message(tvb(at, length):tvb(), branch, info, false) end
      at = at + length
    end
    return
  end
  message(tvb, tree, info, is_stream)
end

-- Version, nonce, ciphertext, tag at `at`. Whether a key was found that fits.
local function unsealed(tvb, at, additional, tree, info, is_stream)
  local length = tvb:len() - at
  if length < 29 then refuse("too short to be sealed") end
  local version = tvb(at, 1):uint()
  tree:add(f.sealed, tvb(at), true)
  tree:add(f.version, tvb(at, 1))
  tree:add(f.nonce, tvb(at + 1, 12))
  if length > 29 then tree:add(f.ciphertext, tvb(at + 13, length - 29)) end
  tree:add(f.tag, tvb(at + length - 16, 16))
  local ciphertext = length > 29 and tvb(at + 13, length - 29):raw() or ""
  local all = ring()
  for index, key in ipairs(all) do
    local text = opened(key, tvb(at + 1, 12):raw(), ciphertext, tvb(at + length - 16, 16):raw(), additional)
    if text ~= nil then
      table.remove(all, index) -- most are sealed with the same one: it is tried first
      table.insert(all, 1, key)
      tree:add(f.key, key.hex)
      if version == 0 and #text > 0 then text = text:sub(1, #text - text:byte(#text)) end
      if #text == 0 then refuse("an empty packet") end
      plain(buffer_of(text, "Opened gossip"), tree, info, is_stream)
      return true
    end
  end
  return false
end

local function finish(pinfo, tree, info, prefix)
  pinfo.cols.protocol = "GOSSIP"
  local text = table.concat(info, " | ")
  if #text > 300 then text = text:sub(1, 297) .. "..." end
  pinfo.cols.info = prefix .. text
end

-- Runs `work`; what it refuses is shown, other faults are ours and go on.
local function guarded(tvb, pinfo, tree, prefix, work)
  local root, info = tree:add(memberlist, tvb()), {}
  local ok, problem = pcall(work, root, info)
  if not ok then
    if type(problem) ~= "table" or problem.refused == nil then error(problem, 0) end
    root:add(f.undecoded, problem.refused)
    info[#info + 1] = "not decoded: " .. problem.refused
  end
  finish(pinfo, tree, info, prefix)
end

local datagrams = Proto("memberlist_udp", "Memberlist gossip datagram")
function datagrams.dissector(tvb, pinfo, tree)
  if tvb:len() == 0 then return 0 end
  guarded(tvb, pinfo, tree, "", function(root, info)
    -- The version byte of what is sealed is 0 or 1; so is the type byte of pings in clear, which a map follows.
    local first = tvb(0, 1):uint()
    local second = tvb:len() > 1 and tvb(1, 1):uint() or 0
    local is_ping = first <= 1 and second >= 0x82 and second <= 0x88 and tvb:len() > 7
      and (tvb(3, 4):string() == "Node" or tvb(3, 4):string() == "Nack")
    if first > 1 or is_ping then return plain(tvb, root, info, false) end
    if not unsealed(tvb, 0, "", root, info, false) then info[#info + 1] = "sealed" end
  end)
  return tvb:len()
end

-- How long the message is that begins a stream; nothing while that cannot be told.
local function measured(tvb)
  local kind = tvb(0, 1):uint()
  if kind == 10 then
    if tvb:len() < 5 then return nil end
    return 5 + tvb(1, 4):uint()
  end
  local fields, at = map_at(tvb, 1)
  if kind == 9 and fields == nil and tvb:len() >= 15 then
    -- The map's last field is the compressed message: its head says how much is to come.
    local key, start, length = scalar(tvb, 2)
    local after = start + length
    if tvb(start, length):string() == "Algo" then
      key, start, length = scalar(tvb, after)
      after = start + length
      key, start, length = scalar(tvb, after)
      if key ~= nil and start + length <= tvb:len() then
        key, start, length = scalar(tvb, start + length)
        if key == "raw" then return start + length end
      end
    end
  end
  if fields == nil then return nil end
  if kind == 8 then return at + (value(fields, "UserMsgLen") or 0) end
  if kind == 6 then
    for _ = 1, value(fields, "Nodes") or 0 do
      local node
      node, at = map_at(tvb, at)
      if node == nil then return nil end
    end
    return at + (value(fields, "UserStateLen") or 0)
  end
  return at
end

local streams = Proto("memberlist_tcp", "Memberlist gossip stream")
function streams.dissector(tvb, pinfo, tree)
  if tvb:len() == 0 then return 0 end
  local ok, length = pcall(measured, tvb)
  if ok and (length == nil or length > tvb:len()) then
    pinfo.desegment_offset = 0
    pinfo.desegment_len = length == nil and DESEGMENT_ONE_MORE_SEGMENT or length - tvb:len()
    return
  end
  guarded(tvb, pinfo, tree, "", function(root, info)
    if not ok then error(length, 0) end
    local whole = tvb(0, length):tvb()
    if tvb(0, 1):uint() ~= 10 then return plain(whole, root, info, true) end
    root:add(f.type, tvb(0, 1))
    if not unsealed(whole, 5, tvb(0, 5):raw(), root, info, true) then info[#info + 1] = "sealed" end
  end)
  return ok and length or tvb:len()
end

DissectorTable.get("udp.port"):add(7946, datagrams)
DissectorTable.get("tcp.port"):add(7946, streams)
