package libvirtxml

import (
	"strconv"
	"strings"
)

// dnsmasqOption finds the number of an option that is written as 3, option:router,
// option6:23 or option6:dns-server; 0 when it is unknown.
func dnsmasqOption(word string) (v6 bool, code uint16) {
	name, v6 := strings.CutPrefix(word, "option6:")
	names := dnsmasqOptions4
	if v6 {
		names = dnsmasqOptions6
	} else {
		name = strings.TrimPrefix(name, "option:")
	}
	if n, err := strconv.ParseUint(name, 10, 16); err == nil && (v6 || n < 255) {
		return v6, uint16(n)
	}
	return v6, names[strings.ToLower(name)]
}

// The names that dnsmasq has for options (dnsmasq --help dhcp, and dhcp6).
var dnsmasqOptions4 = map[string]uint16{
	"time-offset": 2, "router": 3, "dns-server": 6, "log-server": 7, "lpr-server": 9, "boot-file-size": 13, "domain-name": 15,
	"swap-server": 16, "root-path": 17, "extension-path": 18, "ip-forward-enable": 19, "non-local-source-routing": 20,
	"policy-filter": 21, "max-datagram-reassembly": 22, "default-ttl": 23, "mtu": 26, "all-subnets-local": 27, "broadcast": 28,
	"router-discovery": 31, "router-solicitation": 32, "static-route": 33, "trailer-encapsulation": 34, "arp-timeout": 35,
	"ethernet-encap": 36, "tcp-ttl": 37, "tcp-keepalive": 38, "nis-domain": 40, "nis-server": 41, "ntp-server": 42,
	"vendor-encap": 43, "netbios-ns": 44, "netbios-dd": 45, "netbios-nodetype": 46, "netbios-scope": 47, "x-windows-fs": 48,
	"x-windows-dm": 49, "vendor-class": 60, "nis+-domain": 64, "nis+-server": 65, "tftp-server": 66, "bootfile-name": 67,
	"mobile-ip-home": 68, "smtp-server": 69, "pop3-server": 70, "nntp-server": 71, "irc-server": 74, "user-class": 77,
	"posix-timezone": 100, "tzdb-timezone": 101, "captive-portal": 114, "domain-search": 119, "sip-server": 120,
	"classless-static-route": 121, "vendor-id-encap": 125, "tftp-server-address": 150,
}

var dnsmasqOptions6 = map[string]uint16{
	"preference": 7, "user-class": 15, "vendor-class": 16, "vendor-opts": 17, "sip-server-domain": 21, "sip-server": 22,
	"dns-server": 23, "domain-search": 24, "nis-server": 27, "nis+-server": 28, "nis-domain": 29, "nis+-domain": 30,
	"sntp-server": 31, "information-refresh-time": 32, "posix-timezone": 41, "tzdb-timezone": 42, "ntp-server": 56,
	"bootfile-url": 59, "bootfile-param": 60, "captive-portal": 103,
}
