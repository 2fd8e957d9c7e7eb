--[[
The control plane of a Docker swarm for Wireshark and tshark (4.0 or later): gRPC on TCP port 2377, with swarmkit's messages and, in
them, those of raft.

    tshark -X lua_script:vxlab-swarm.lua -r capture.pcapng -Y swarmkit

A real swarm speaks TLS there: Wireshark reads it with the run's TLS secrets (tls.keylog_file). Every field of a message has a name to
filter by: swarmkit.Task.id, swarmkit.RaftMessage.type. Sources: swarmkit api/*.proto, etcd raftpb/raft.proto.
]]

local swarmkit = Proto("swarmkit", "Docker swarm control plane")

-- Messages: number, name, kind. Kinds: string, bytes, uint, bool, double, hex (64 bits, either way of writing), {a,b,...} (from 0), or another message.
local SCHEMA = [[
Timestamp: 1 seconds uint; 2 nanos uint
Duration: 1 seconds uint; 2 nanos uint
Entry: 1 key string; 2 value string
Version: 1 index uint
Meta: 1 version Version; 2 created_at Timestamp; 3 updated_at Timestamp
Annotations: 1 name string; 2 labels Entry; 4 indices Entry
Resources: 1 nano_cpus uint; 2 memory_bytes uint
ResourceRequirements: 1 limits Resources; 2 reservations Resources
Platform: 1 architecture string; 2 os string
Driver: 1 name string; 2 options Entry
IPAMConfig: 1 family {UNKNOWN,IPV4,IPV6}; 2 subnet string; 3 range string; 4 gateway string; 5 reserved Entry
IPAMOptions: 1 driver Driver; 3 configs IPAMConfig
PortConfig: 1 name string; 2 protocol {TCP,UDP,SCTP}; 3 target_port uint; 4 published_port uint; 5 publish_mode {INGRESS,HOST}
EndpointSpec: 1 mode {VIP,DNSRR}; 2 ports PortConfig
VirtualIP: 1 network_id string; 2 addr string
Endpoint: 1 spec EndpointSpec; 2 ports PortConfig; 3 virtual_ips VirtualIP
PluginDescription: 1 type string; 2 name string
EngineDescription: 1 engine_version string; 2 labels Entry; 3 plugins PluginDescription
TLSInfo: 1 trust_root bytes; 2 cert_issuer_subject bytes; 3 cert_issuer_public_key bytes
NodeDescription: 1 hostname string; 2 platform Platform; 3 resources Resources; 4 engine EngineDescription; 5 tls_info TLSInfo; 6 fips bool
NodeStatus: 1 state {UNKNOWN,DOWN,READY,DISCONNECTED}; 2 message string; 3 addr string
ManagerStatus: 1 raft_id hex; 2 addr string; 3 leader bool; 4 reachability {UNKNOWN,UNREACHABLE,REACHABLE}
IssuanceStatus: 1 state {UNKNOWN,RENEW,PENDING,ISSUED,FAILED,ROTATE}; 2 err string
Certificate: 1 role {WORKER,MANAGER}; 2 csr bytes; 3 status IssuanceStatus; 4 certificate bytes; 5 cn string
NodeSpec: 1 annotations Annotations; 2 desired_role {WORKER,MANAGER}; 3 membership {PENDING,ACCEPTED}; 4 availability {ACTIVE,PAUSE,DRAIN}
Node: 1 id string; 2 meta Meta; 3 spec NodeSpec; 4 description NodeDescription; 5 status NodeStatus; 6 manager_status ManagerStatus; 7 attachment NetworkAttachment; 8 certificate Certificate; 9 role {WORKER,MANAGER}; 10 attachments NetworkAttachment; 11 vxlan_udp_port uint
NetworkSpec: 1 annotations Annotations; 2 driver_config Driver; 3 ipv6_enabled bool; 4 internal bool; 5 ipam IPAMOptions; 6 attachable bool; 7 ingress bool; 8 network string
Network: 1 id string; 2 meta Meta; 3 spec NetworkSpec; 4 driver_state Driver; 5 ipam IPAMOptions; 6 pending_delete bool
NetworkAttachment: 1 network Network; 2 addresses string; 3 aliases string; 4 driver_attachment_opts Entry
NetworkAttachmentConfig: 1 target string; 2 aliases string; 3 addresses string; 4 driver_attachment_opts Entry
VolumeOptions: 1 no_copy bool; 2 labels Entry; 3 driver_config Driver
Mount: 1 type {BIND,VOLUME,TMPFS,NPIPE,CLUSTER}; 2 source string; 3 target string; 4 readonly bool; 6 volume_options VolumeOptions
FileTarget: 1 name string; 2 uid string; 3 gid string; 4 mode uint
SecretReference: 1 secret_id string; 2 secret_name string; 3 file FileTarget
ConfigReference: 1 config_id string; 2 config_name string; 3 file FileTarget
HealthConfig: 1 test string; 2 interval Duration; 3 timeout Duration; 4 retries uint; 5 start_period Duration; 6 start_interval Duration
DNSConfig: 1 nameservers string; 2 search string; 3 options string
ContainerSpec: 1 image string; 2 labels Entry; 3 command string; 4 args string; 5 env string; 6 dir string; 7 user string; 8 mounts Mount; 9 stop_grace_period Duration; 11 groups string; 12 secrets SecretReference; 13 tty bool; 14 hostname string; 15 dns_config DNSConfig; 16 healthcheck HealthConfig; 17 hosts string; 18 open_stdin bool; 19 read_only bool; 20 stop_signal string; 21 configs ConfigReference; 23 init bool; 24 isolation string; 26 sysctls Entry; 27 capability_add string; 28 capability_drop string
RestartPolicy: 1 condition {NONE,ON_FAILURE,ANY}; 2 delay Duration; 3 max_attempts uint; 4 window Duration
UpdateConfig: 1 parallelism uint; 2 delay Duration; 3 failure_action {PAUSE,CONTINUE,ROLLBACK}; 4 monitor Duration; 5 max_failure_ratio float; 6 order {STOP_FIRST,START_FIRST}
SpreadOver: 1 spread_descriptor string
PlacementPreference: 1 spread SpreadOver
Placement: 1 constraints string; 2 preferences PlacementPreference; 3 platforms Platform; 4 max_replicas uint
NetworkAttachmentSpec: 1 container_id string
TaskSpec: 1 container ContainerSpec; 2 resources ResourceRequirements; 4 restart RestartPolicy; 5 placement Placement; 6 log_driver Driver; 7 networks NetworkAttachmentConfig; 8 attachment NetworkAttachmentSpec; 9 force_update uint
ReplicatedService: 1 replicas uint
ReplicatedJob: 1 max_concurrent uint; 2 total_completions uint
Empty:
ServiceSpec: 1 annotations Annotations; 2 task TaskSpec; 3 replicated ReplicatedService; 4 global Empty; 6 update UpdateConfig; 7 networks NetworkAttachmentConfig; 8 endpoint EndpointSpec; 9 rollback UpdateConfig; 10 replicated_job ReplicatedJob; 11 global_job Empty
UpdateStatus: 1 state {UNKNOWN,UPDATING,PAUSED,COMPLETED,ROLLBACK_STARTED,ROLLBACK_PAUSED,ROLLBACK_COMPLETED}; 2 started_at Timestamp; 3 completed_at Timestamp; 4 message string
JobStatus: 1 job_iteration Version; 2 last_execution Timestamp
Service: 1 id string; 2 meta Meta; 3 spec ServiceSpec; 4 endpoint Endpoint; 5 update_status UpdateStatus; 6 previous_spec ServiceSpec; 7 pending_delete bool; 10 spec_version Version; 11 previous_spec_version Version; 12 job_status JobStatus
ContainerStatus: 1 container_id string; 2 pid uint; 3 exit_code uint
PortStatus: 1 ports PortConfig
TaskStatus: 1 timestamp Timestamp; 2 state uint; 3 message string; 4 err string; 5 container ContainerStatus; 6 port_status PortStatus; 7 applied_by string; 8 applied_at Timestamp
Task: 1 id string; 2 meta Meta; 3 spec TaskSpec; 4 service_id string; 5 slot uint; 6 node_id string; 7 annotations Annotations; 8 service_annotations Annotations; 9 status TaskStatus; 10 desired_state uint; 11 networks NetworkAttachment; 12 endpoint Endpoint; 13 log_driver Driver; 14 spec_version Version; 16 job_iteration Version
EncryptionKey: 1 subsystem string; 2 algorithm {AES_128_GCM}; 3 key bytes; 4 lamport_time uint
JoinTokens: 1 worker string; 2 manager string
RootCA: 1 ca_key bytes; 2 ca_cert bytes; 3 ca_cert_hash string; 4 join_tokens JoinTokens; 6 last_forced_rotation uint
OrchestrationConfig: 1 task_history_retention_limit uint
RaftConfig: 1 snapshot_interval uint; 2 keep_old_snapshots uint; 3 log_entries_for_slow_followers uint; 4 heartbeat_tick uint; 5 election_tick uint
DispatcherConfig: 1 heartbeat_period Duration
CAConfig: 1 node_cert_expiry Duration; 5 force_rotate uint
EncryptionConfig: 1 auto_lock_managers bool
TaskDefaults: 1 log_driver Driver
ClusterSpec: 1 annotations Annotations; 3 orchestration OrchestrationConfig; 4 raft RaftConfig; 5 dispatcher DispatcherConfig; 6 ca_config CAConfig; 7 task_defaults TaskDefaults; 8 encryption_config EncryptionConfig
Cluster: 1 id string; 2 meta Meta; 3 spec ClusterSpec; 4 root_ca RootCA; 5 network_bootstrap_keys EncryptionKey; 6 encryption_key_lamport_clock uint; 9 unlock_keys EncryptionKey; 10 fips bool; 11 default_address_pool string; 12 subnet_size uint; 13 vxlan_udp_port uint
SecretSpec: 1 annotations Annotations; 2 data bytes; 4 driver Driver
Secret: 1 id string; 2 meta Meta; 3 spec SecretSpec; 4 internal bool
ConfigSpec: 1 annotations Annotations; 2 data bytes
Config: 1 id string; 2 meta Meta; 3 spec ConfigSpec
StoreAction: 1 action {UNKNOWN,CREATE,UPDATE,REMOVE}; 2 node Node; 3 service Service; 4 task Task; 5 network Network; 6 cluster Cluster; 7 secret Secret; 10 config Config
InternalRaftRequest: 1 id hex; 2 action StoreAction
RaftMessage: 1 type {HUP,BEAT,PROP,APP,APP_RESP,VOTE,VOTE_RESP,SNAP,HEARTBEAT,HEARTBEAT_RESP,UNREACHABLE,SNAP_STATUS,CHECK_QUORUM,TRANSFER_LEADER,TIMEOUT_NOW,READ_INDEX,READ_INDEX_RESP,PRE_VOTE,PRE_VOTE_RESP}; 2 to hex; 3 from hex; 4 term uint; 5 log_term uint; 6 index uint; 7 entries RaftEntry; 8 commit uint; 9 snapshot RaftSnapshot; 10 reject bool; 11 reject_hint uint; 12 context bytes
RaftEntry: 1 type {NORMAL,CONF_CHANGE}; 2 term uint; 3 index uint; 4 data InternalRaftRequest
RaftConfState: 1 nodes hex; 2 learners hex
RaftSnapshotMetadata: 1 conf_state RaftConfState; 2 index uint; 3 term uint
RaftSnapshot: 1 data Snapshot; 2 metadata RaftSnapshotMetadata
RaftConfChange: 1 id hex; 2 type {ADD_NODE,REMOVE_NODE,UPDATE_NODE,ADD_LEARNER_NODE}; 3 node_id hex; 4 context RaftMember
RaftMemberStatus: 1 leader bool; 2 reachability {UNKNOWN,UNREACHABLE,REACHABLE}; 3 message string
RaftMember: 1 raft_id hex; 2 node_id string; 3 addr string; 4 status RaftMemberStatus
ClusterSnapshot: 1 members RaftMember; 2 removed hex
StoreSnapshot: 1 nodes Node; 2 services Service; 3 networks Network; 4 tasks Task; 5 clusters Cluster; 6 secrets Secret; 9 configs Config
Snapshot: 1 version uint; 2 membership ClusterSnapshot; 3 store StoreSnapshot
Peer: 1 node_id string; 2 addr string
WeightedPeer: 1 peer Peer; 2 weight uint
Assignment: 1 task Task; 2 secret Secret; 3 config Config
AssignmentChange: 1 assignment Assignment; 2 action {UPDATE,REMOVE}
TaskStatusUpdate: 1 task_id string; 2 status TaskStatus
Id: 1 id string
]]

-- Methods: service, method, request, response. Those on objects follow a pattern and are made below.
local METHODS = [[
Dispatcher Session {1 description NodeDescription; 2 session_id string} {1 session_id string; 2 node Node; 3 managers WeightedPeer; 4 network_bootstrap_keys EncryptionKey; 5 root_ca bytes}
Dispatcher Heartbeat {1 session_id string} {1 period Duration}
Dispatcher UpdateTaskStatus {1 session_id string; 3 updates TaskStatusUpdate} {}
Dispatcher Tasks {1 session_id string} {1 tasks Task}
Dispatcher Assignments {1 session_id string} {1 type {COMPLETE,INCREMENTAL}; 2 applies_to string; 3 results_in string; 4 changes AssignmentChange}
Raft ProcessRaftMessage {1 message RaftMessage} {}
Raft StreamRaftMessage {1 message RaftMessage} {}
Raft ResolveAddress {1 raft_id hex} {1 addr string}
RaftMembership Join {1 addr string} {1 raft_id hex; 2 members RaftMember; 3 removed_members hex}
RaftMembership Leave {1 node RaftMember} {}
Health Check {1 service string} {1 status {UNKNOWN,SERVING,NOT_SERVING}}
CA GetRootCACertificate {} {1 certificate bytes}
CA GetUnlockKey {} {1 unlock_key bytes; 2 version Version}
NodeCA IssueNodeCertificate {1 role {WORKER,MANAGER}; 2 csr bytes; 3 token string; 4 availability {ACTIVE,PAUSE,DRAIN}} {1 node_id string; 2 node_membership {PENDING,ACCEPTED}}
NodeCA NodeCertificateStatus {1 node_id string} {1 status IssuanceStatus; 2 certificate Certificate}
ResourceAllocator AttachNetwork {1 config NetworkAttachmentConfig; 2 container_id string} {1 attachment_id string}
ResourceAllocator DetachNetwork {1 attachment_id string} {}
]]
local OBJECTS = { "Node", "Task", "Service", "Network", "Cluster", "Secret", "Config" }

local fields = {}
local function field(name, make, label)
  local one = make("swarmkit." .. name, label)
  fields[#fields + 1] = one
  return one
end

local general = {
  method = field("method", ProtoField.string, "Method"),
  direction = field("direction", ProtoField.string, "Direction"),
  unknown = field("unknown", ProtoField.bytes, "Unknown field"),
  undecoded = field("undecoded", ProtoField.string, "Not decoded"),
}

-- "{1 a string; 2 b {X,Y}}" -> { [1] = { name =, kind =, values =, shown = } }
local function shape_of(message, text)
  local shape = {}
  for number, name, kind in (text .. ";"):gmatch("%s*(%d+) ([%w_]+) ([%w{},_]+)%s*;") do
    local one = { name = name, kind = kind }
    local abbreviation = message .. "." .. name
    if kind:sub(1, 1) == "{" then
      one.kind, one.values = "choice", {}
      local index = 0
      for value in kind:gmatch("[%w_]+") do
        one.values[index] = value
        index = index + 1
      end
      one.shown = field(abbreviation, function(abbr, label) return ProtoField.uint32(abbr, label, base.DEC, one.values) end, name)
    elseif kind == "bool" then one.shown = field(abbreviation, ProtoField.bool, name)
    elseif kind == "uint" then one.shown = field(abbreviation, ProtoField.uint64, name)
    elseif kind == "hex" then one.shown = field(abbreviation, function(abbr, label) return ProtoField.uint64(abbr, label, base.HEX) end, name)
    elseif kind == "double" then one.shown = field(abbreviation, ProtoField.double, name)
    elseif kind == "float" then one.shown = field(abbreviation, ProtoField.float, name)
    elseif kind == "bytes" then one.shown = field(abbreviation, ProtoField.bytes, name)
    elseif kind == "string" then one.shown = field(abbreviation, ProtoField.string, name)
    else one.shown = field(abbreviation, ProtoField.none, name) end
    shape[tonumber(number)] = one
  end
  return shape
end

local SHAPES = {}
for line in SCHEMA:gmatch("[^\n]+") do
  local message, text = line:match("^(%w+):(.*)$")
  SHAPES[message] = shape_of(message, text)
end
-- What a task's state says by its number.
local STATES = {
  [0] = "NEW", [64] = "PENDING", [192] = "ASSIGNED", [256] = "ACCEPTED", [320] = "PREPARING", [384] = "READY", [448] = "STARTING",
  [512] = "RUNNING", [576] = "COMPLETE", [640] = "SHUTDOWN", [704] = "FAILED", [768] = "REJECTED", [800] = "REMOVE", [832] = "ORPHANED",
}
for message, name in pairs({ TaskStatus = "state", Task = "desired_state" }) do
  for _, one in pairs(SHAPES[message]) do if one.name == name then one.words = STATES end end
end

-- By what gRPC calls the message: { shape =, label = }.
local MESSAGES = {}
local function method(service, name, request, response)
  for direction, text in pairs({ request = request, response = response }) do
    local message = name .. (direction == "request" and "Request" or "Response")
    local key = string.format("application/grpc,/docker.swarmkit.v1.%s/%s,%s", service, name, direction)
    MESSAGES[key] = { shape = shape_of(message, text), method = service .. "/" .. name, direction = direction }
  end
end
for line in METHODS:gmatch("[^\n]+") do
  local service, name, request, response = line:match("^(%w+) (%w+) (%b{}) (%b{})$")
  method(service, name, request:sub(2, -2), response:sub(2, -2))
end
for _, object in ipairs(OBJECTS) do
  local one = object:lower()
  local many = one .. "s"
  method("Control", "Get" .. object, "1 " .. one .. "_id string", "1 " .. one .. " " .. object)
  method("Control", "List" .. object .. "s", "1 filters bytes", "1 " .. many .. " " .. object)
  method("Control", "Remove" .. object, "1 " .. one .. "_id string", "")
  if object ~= "Task" then
    method("Control", "Create" .. object, "1 spec " .. object .. "Spec", "1 " .. one .. " " .. object)
    method("Control", "Update" .. object, "1 " .. one .. "_id string; 2 version Version; 3 spec " .. object .. "Spec", "1 " .. one .. " " .. object)
  end
end
swarmkit.fields = fields

local DEEPEST = 40
local function refuse(why) error({ refused = why }, 0) end

local function varint(tvb, at)
  local start, length = at, tvb:len()
  local low, high, shift = 0, 0, 0
  while true do
    if at >= length or at - start > 9 then refuse("a varint without end") end
    local byte = tvb(at, 1):uint()
    local seven = byte % 128
    if shift < 28 then low = low + seven * 2 ^ shift
    elseif shift == 28 then
      low = low + (seven % 16) * 2 ^ 28
      high = math.floor(seven / 16)
    else high = high + seven * 2 ^ (shift - 32) end
    at, shift = at + 1, shift + 7
    if byte < 128 then return low, high % 2 ^ 32, tvb(start, at - start), at end
  end
end

local dissect_message

-- Bytes that ought to be a message: those that are none are shown as they are.
local function embedded(one, shape, range, tree, depth, note)
  if range == nil then return nil end
  local branch = tree:add(one.shown, range)
  local ok, problem = pcall(dissect_message, shape, range:tvb(), branch, depth + 1, note)
  if not ok then
    if type(problem) ~= "table" then error(problem, 0) end
    branch:add(general.undecoded, problem.refused)
  end
  return branch
end

-- `note(name, text)` hears of fields worth a word in the list of packets.
dissect_message = function(shape, tvb, tree, depth, note)
  if depth > DEEPEST then refuse("messages too deep") end
  local at, length = 0, tvb:len()
  local entry_type = 0
  while at < length do
    local tag, _, tag_range, next_at = varint(tvb, at)
    local start = at
    local number, kind = math.floor(tag / 8), tag % 8
    local one = shape[number]
    at = next_at
    if kind == 0 then
      local low, high, range
      low, high, range, at = varint(tvb, at)
      if one == nil or one.kind == "string" or one.kind == "bytes" then tree:add(general.unknown, tvb(start, at - start))
      elseif one.kind == "bool" then tree:add(one.shown, range, low ~= 0)
      elseif one.kind == "choice" then
        tree:add(one.shown, range, low)
        if note then note(one.name, one.values[low] or tostring(low)) end
        if one.name == "type" then entry_type = low end
      elseif SHAPES[one.kind] ~= nil then tree:add(general.unknown, tvb(start, at - start))
      else
        local item = tree:add(one.shown, range, UInt64.new(low, high))
        if one.words and one.words[low] then item:append_text(" (" .. one.words[low] .. ")") end
        if note then note(one.name, one.words and one.words[low] or string.format("%.0f", low + high * 2 ^ 32)) end
      end
    elseif kind == 1 or kind == 5 then
      local size = kind == 1 and 8 or 4
      if size > length - at then refuse("a field longer than its message") end
      if one ~= nil and (one.kind == "double" or one.kind == "float" or one.kind == "hex") then tree:add_le(one.shown, tvb(at, size))
      else tree:add(general.unknown, tvb(start, at + size - start)) end
      at = at + size
    elseif kind == 2 then
      local size
      size, _, _, at = varint(tvb, at)
      if size > length - at then refuse("a field longer than its message") end
      local range = size > 0 and tvb(at, size) or nil
      at = at + size
      if one == nil then tree:add(general.unknown, tvb(start, at - start))
      elseif one.kind == "string" then
        if range then
          tree:add(one.shown, range)
          if note then note(one.name, range:string()) end
        else tree:add(one.shown, tag_range, "") end
      elseif one.kind == "bytes" then
        if range then tree:add(one.shown, range) end
      elseif one.kind == "InternalRaftRequest" and entry_type == 1 then
        embedded(one, SHAPES.RaftConfChange, range, tree, depth, note)
      elseif SHAPES[one.kind] ~= nil then
        local branch = embedded(one, SHAPES[one.kind], range, tree, depth, note)
        if branch == nil then tree:add(one.shown, tvb(start, at - start)) end
      elseif range ~= nil then -- numbers packed into one field
        local packed, inner = 0, range:tvb()
        while packed < size do
          local low, high, where
          low, high, where, packed = varint(inner, packed)
          if one.kind == "bool" then tree:add(one.shown, where, low ~= 0)
          elseif one.kind == "choice" then tree:add(one.shown, where, low)
          else tree:add(one.shown, where, UInt64.new(low, high)) end
        end
      end
    else refuse("Protocol Buffers wire type " .. kind) end
  end
end

local WORTH = { type = true, action = true, state = true, status = true, term = true, index = true, commit = true, hostname = true, name = true }

function swarmkit.dissector(tvb, pinfo, tree)
  local known = MESSAGES[pinfo.match_string]
  local root = tree:add(swarmkit, tvb())
  if known == nil then return 0 end
  root:append_text(", " .. known.method .. " " .. known.direction)
  root:add(general.method, known.method):set_generated()
  root:add(general.direction, known.direction):set_generated()
  local words, count = {}, 0
  local ok, problem = pcall(dissect_message, known.shape, tvb, root, 0, function(name, text)
    if WORTH[name] and count < 5 then
      count = count + 1
      words[count] = name .. "=" .. text
    end
  end)
  if not ok then
    if type(problem) ~= "table" then error(problem, 0) end
    root:add(general.undecoded, problem.refused)
    words[count + 1] = "not decoded: " .. problem.refused
  end
  pinfo.cols.protocol = "SWARM"
  local said = known.method .. (known.direction == "response" and " answer" or "")
  if #words > 0 then said = said .. " (" .. table.concat(words, ", ") .. ")" end
  pinfo.cols.info:append(" " .. said)
  return tvb:len()
end

local types = DissectorTable.get("grpc_message_type")
for key in pairs(MESSAGES) do types:add(key, swarmkit) end
DissectorTable.get("tcp.port"):add(2377, Dissector.get("http2"))
