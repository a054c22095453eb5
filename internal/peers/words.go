package peers

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Clients tell their leases in words of their own. What cannot be read stays
// zero, and shows as a difference to what a test wants.

// udhcpcLease reads the environment of udhcpc's script.
func udhcpcLease(env map[string]string) Lease {
	mask, _ := strconv.Atoi(env["mask"])
	return Lease{
		Address: prefix(env["ip"], mask), Router: address(env["router"]), DNS: addresses(env["dns"]),
		Domain: env["domain"], Search: strings.Fields(env["search"]), MTU: number(env["mtu"]),
		Time: seconds(env["lease"]), Host: env["hostname"], Server: env["serverid"],
	}
}

// scriptLease reads the new_… words that dhclient and dhcpcd share.
func scriptLease(env map[string]string) Lease {
	ones, _ := net.IPMask(net.ParseIP(env["new_subnet_mask"]).To4()).Size()
	return Lease{
		Address: prefix(env["new_ip_address"], ones), Router: address(env["new_routers"]),
		DNS: addresses(env["new_domain_name_servers"]), Domain: env["new_domain_name"],
		Search: names(env["new_domain_search"]), MTU: number(env["new_interface_mtu"]),
		Time: seconds(env["new_dhcp_lease_time"]), Host: env["new_host_name"], Server: env["new_dhcp_server_identifier"],
	}
}

// scriptLease6 reads the words for IPv6, of which each has its own.
func scriptLease6(env map[string]string) Lease {
	l := Lease{
		DNS: addresses(env["new_dhcp6_name_servers"]), Search: names(env["new_dhcp6_domain_search"]),
		Server: strings.ReplaceAll(env["new_dhcp6_server_id"], ":", ""),
	}
	if a := env["new_ip6_address"]; a != "" { // dhclient
		l.Address, l.Time = prefix(a, number(env["new_ip6_prefixlen"])), seconds(env["new_max_life"])
		l.Server = octets(env["new_dhcp6_server_id"])
	} else { // dhcpcd
		l.Address, l.Time = prefix(env["new_dhcp6_ia_na1_ia_addr1"], 128), seconds(env["new_dhcp6_ia_na1_ia_addr1_vltime"])
	}
	return l
}

// fileLease reads a lease file of systemd-networkd.
func fileLease(env map[string]string) Lease {
	ones, _ := net.IPMask(net.ParseIP(env["NETMASK"]).To4()).Size()
	return Lease{
		Address: prefix(env["ADDRESS"], ones), Router: address(env["ROUTER"]), DNS: addresses(env["DNS"]),
		Domain: env["DOMAINNAME"], Search: names(env["DOMAIN_SEARCH_LIST"]), MTU: number(env["MTU"]),
		Time: seconds(env["LIFETIME"]), Host: env["HOSTNAME"], Server: env["SERVER_ADDRESS"],
	}
}

// ipconfigLease reads what klibc's ipconfig leaves for the initramfs.
func ipconfigLease(env map[string]string) Lease {
	ones, _ := net.IPMask(net.ParseIP(env["IPV4NETMASK"]).To4()).Size()
	l := Lease{
		Address: prefix(env["IPV4ADDR"], ones), Router: address(env["IPV4GATEWAY"]), Domain: env["DNSDOMAIN"],
		Search: names(env["DOMAINSEARCH"]), Host: env["HOSTNAME"],
	}
	for _, key := range []string{"IPV4DNS0", "IPV4DNS1"} {
		if a := address(env[key]); a.IsValid() && !a.IsUnspecified() {
			l.DNS = append(l.DNS, a)
		}
	}
	return l
}

// assignments reads lines of KEY=VALUE or KEY='VALUE'.
func assignments(text string) map[string]string {
	env := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			env[key] = strings.Trim(value, `'"`)
		}
	}
	return env
}

func prefix(s string, bits int) netip.Prefix {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(a, bits)
}

// address is the first of a list.
func address(list string) netip.Addr {
	if all := addresses(list); len(all) > 0 {
		return all[0]
	}
	return netip.Addr{}
}

func addresses(list string) (out []netip.Addr) {
	for _, word := range strings.Fields(list) {
		if a, err := netip.ParseAddr(word); err == nil {
			out = append(out, a)
		}
	}
	return out
}

// names are domain names, without the final dot that some clients write.
func names(list string) (out []string) {
	for _, word := range strings.Fields(list) {
		out = append(out, strings.TrimSuffix(word, "."))
	}
	return out
}

func number(s string) int { n, _ := strconv.Atoi(s); return n }

func seconds(s string) time.Duration { return time.Duration(number(s)) * time.Second }

// octets turns dhclient's 0:3:0:1:52 into 0003000152.
func octets(s string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(s, ":") {
		if len(word) == 1 {
			b.WriteByte('0')
		}
		b.WriteString(word)
	}
	return b.String()
}
