package spec

// option is a DHCP option that has a name here.
type option struct {
	code   uint16
	name   string
	encode encoder
}

// owned is an option that people cannot set.
type owned struct {
	code uint16
	name string
	hint string
}

// options4 are those of DHCPv4: RFC 2132, and where another RFC is named.
var options4 = []option{
	{2, "time-offset", signed32},
	{3, "router", addresses},
	{4, "time-server", addresses},
	{6, "dns", addresses},
	{7, "log-server", addresses},
	{9, "lpr-server", addresses},
	{12, "host-name", hostName},
	{13, "boot-size", unsigned(16)},
	{15, "domain", hostName},
	{16, "swap-server", oneAddress},
	{17, "root-path", text},
	{19, "ip-forwarding", boolean},
	{23, "default-ttl", unsigned(8)},
	{26, "mtu", unsigned(16)},
	{28, "broadcast", oneAddress},
	{31, "router-discovery", boolean},
	{35, "arp-timeout", unsigned(32)},
	{37, "tcp-ttl", unsigned(8)},
	{40, "nis-domain", text},
	{41, "nis-server", addresses},
	{42, "ntp", addresses},
	{43, "vendor", hexadecimal},
	{44, "netbios-ns", addresses},
	{45, "netbios-dd", addresses},
	{46, "netbios-type", unsigned(8)},
	{47, "netbios-scope", text},
	{60, "vendor-class", text},
	{66, "tftp-server", text},
	{67, "boot-file", text},
	{69, "smtp-server", addresses},
	{100, "posix-timezone", text},    // RFC 4833
	{101, "tz-name", text},           // RFC 4833
	{108, "ipv6-only", unsigned(32)}, // RFC 8925, seconds
	{114, "captive-portal", text},    // RFC 8910
	{119, "search", domains},         // RFC 3397
	{121, "routes", routes},          // RFC 3442
	{150, "tftp-address", addresses}, // RFC 5859
	{209, "pxelinux-config", text},   // RFC 5071
	{210, "pxelinux-path", text},     // RFC 5071
	{211, "pxelinux-reboot", unsigned(32)},
	{249, "ms-routes", routes}, // Microsoft's name for 121
	{252, "wpad", text},
}

// options6 are those of DHCPv6.
var options6 = []option{
	{7, "preference", unsigned(8)},     // RFC 8415
	{17, "vendor", hexadecimal},        // RFC 8415
	{21, "sip-names", domains},         // RFC 3319
	{22, "sip-servers", addresses},     // RFC 3319
	{23, "dns", addresses},             // RFC 3646
	{24, "search", domains},            // RFC 3646
	{27, "nis-server", addresses},      // RFC 3898
	{31, "sntp", addresses},            // RFC 4075
	{32, "refresh-time", unsigned(32)}, // RFC 8415, seconds
	{41, "posix-timezone", text},       // RFC 4833
	{42, "tz-name", text},              // RFC 4833
	{56, "ntp", ntpServers},            // RFC 5908
	{59, "boot-file-url", text},        // RFC 5970
	{82, "sol-max-rt", unsigned(32)},   // RFC 8415, seconds
	{83, "inf-max-rt", unsigned(32)},   // RFC 8415, seconds
	{103, "captive-portal", text},      // RFC 8910
}

const (
	bySubnet    = "it follows from the subnet's address"
	byLeaseTime = "it follows from leaseTime"
	byServer    = "remove it"
)

// owned4 are parts of the protocol itself.
var owned4 = []owned{
	{0, "pad", byServer},
	{1, "subnet-mask", bySubnet},
	{50, "requested-address", byServer},
	{51, "lease-time", "write leaseTime beside the options"},
	{52, "overload", byServer},
	{53, "message-type", byServer},
	{54, "server-id", bySubnet},
	{55, "parameter-list", byServer},
	{56, "message", byServer},
	{57, "message-size", byServer},
	{58, "renewal-time", byLeaseTime},
	{59, "rebinding-time", byLeaseTime},
	{61, "client-id", "clients send it, a reservation can ask for it: clientID"},
	{80, "rapid-commit", byServer},
	{81, "client-fqdn", byServer},
	{82, "relay-agent", byServer},
	{255, "end", byServer},
}

var owned6 = []owned{
	{1, "client-id", "clients send it, a reservation can ask for it: duid"},
	{2, "server-id", byServer},
	{3, "ia-na", byServer},
	{4, "ia-ta", byServer},
	{5, "ia-address", byServer},
	{6, "option-request", byServer},
	{8, "elapsed-time", byServer},
	{9, "relay-message", byServer},
	{11, "authentication", byServer},
	{12, "server-unicast", byServer},
	{13, "status-code", byServer},
	{14, "rapid-commit", byServer},
	{18, "interface-id", byServer},
	{19, "reconfigure-message", byServer},
	{20, "reconfigure-accept", byServer},
	{25, "ia-pd", byServer},
	{26, "ia-prefix", byServer},
	{39, "client-fqdn", byServer},
}

func optionTable(v6 bool) []option {
	if v6 {
		return options6
	}
	return options4
}

func ownedTable(v6 bool) []owned {
	if v6 {
		return owned6
	}
	return owned4
}
