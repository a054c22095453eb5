package libvirtxml

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

// served yields the subnets of a family on which DHCP is, with their paths.
func (t *translation) served(v6 bool, visit func(path string, s *spec.Subnet)) (found bool) {
	for i := range t.to.Subnets {
		s := &t.to.Subnets[i]
		if s.Address.IsValid() && s.Address.Addr().Is6() == v6 && s.DHCP != nil && spec.Truth(s.DHCP.Enabled) {
			visit(spec.Field(spec.Index("subnets", i), "dhcp"), s)
			found = true
		}
	}
	return found
}

const noDHCP = "no <ip> of the network has DHCP of that family"

// lineTFTP serves a directory.
func (t *translation) lineTFTP(place string, fields []string) string {
	if len(fields) != 1 || fields[0] == "" {
		return noName
	}
	if !t.served(false, func(path string, s *spec.Subnet) {
		bootIn(s).TFTP = fields[0]
		t.put(spec.Field(spec.Field(path, "boot"), "tftp"), place)
	}) {
		return noDHCP
	}
	return ""
}

func bootIn(s *spec.Subnet) *spec.Boot {
	if s.DHCP.Boot == nil {
		s.DHCP.Boot = &spec.Boot{}
	}
	return s.DHCP.Boot
}

// lineReservation keeps an address for a guest, told by MAC, client id, DUID or name.
func (t *translation) lineReservation(place string, fields []string) string {
	r, name, because := hostFields(fields)
	switch {
	case because != "":
		return because
	case !r.IP.IsValid():
		return "a host without an address has nothing reserved"
	}
	for i := range t.to.Subnets {
		s := &t.to.Subnets[i]
		if !s.Address.Contains(r.IP) || s.DHCP == nil {
			continue
		}
		key := name
		if key == "" {
			key = r.IP.String()
		}
		if old, has := s.DHCP.Hosts[key]; has && !equal(old, r) {
			return otherwise
		}
		setEntry(&s.DHCP.Hosts, key, r)
		t.put(spec.Field(spec.Field(spec.Field(spec.Index("subnets", i), "dhcp"), "hosts"), key), place)
		return ""
	}
	return noDHCP
}

func hostFields(fields []string) (r spec.Reservation, name, because string) {
	for _, f := range fields {
		mac, notMAC := spec.ParseMAC(f)
		ip, notIP := netip.ParseAddr(strings.Trim(f, "[]"))
		id, isID := strings.CutPrefix(f, "id:")
		lease, notLease := leaseWord(f)
		switch {
		case strings.HasPrefix(f, "set:"), strings.HasPrefix(f, "tag:"):
			return r, "", noTags
		case f == "ignore":
			return r, "", "guests are not left without an answer"
		case notMAC == nil:
			r.MAC = mac
		case notIP == nil:
			r.IP = ip
		case isID:
			r.ClientID = id
		case notLease == nil:
			r.LeaseTime = lease
		case f != "":
			name = f
		}
	}
	if r.IP.Is6() {
		r.ClientID, r.DUID = "", r.ClientID
	}
	return r, name, ""
}

// leaseWord reads a lease time as dnsmasq writes it: 45m, 12h, 2d, 300, infinite.
func leaseWord(s string) (spec.Seconds, error) {
	if s == "infinite" {
		return spec.Infinite, nil
	}
	factors := map[byte]int64{'m': 60, 'h': 3600, 'd': 86400, 'w': 604800}
	factor := int64(1)
	if n := len(s); n > 1 && factors[s[n-1]] > 0 {
		factor, s = factors[s[n-1]], s[:n-1]
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%q is not a lease time", s)
	}
	return spec.Seconds(min(n*factor, longestLease)), nil
}

// lineRange adds addresses to the DHCP of a subnet.
func (t *translation) lineRange(place string, fields []string) string {
	if len(fields) < 2 {
		return noName
	}
	from, errFrom := netip.ParseAddr(fields[0])
	to, errTo := netip.ParseAddr(fields[1])
	if errFrom != nil || errTo != nil {
		return "only a range of addresses, a netmask and a lease time are known of it"
	}
	r := spec.LeaseRange{AddrRange: spec.AddrRange{From: from, To: to}}
	for _, f := range fields[2:] {
		_, notMask := netip.ParseAddr(f)
		lease, notLease := leaseWord(f)
		switch bits, err := strconv.Atoi(f); {
		case notMask == nil, from.Is6() && err == nil && bits <= 128:
		case notLease == nil:
			r.LeaseTime = lease
		default:
			return "only a range of addresses, a netmask and a lease time are known of it"
		}
	}
	return t.addRange(place, r)
}

func (t *translation) addRange(place string, r spec.LeaseRange) string {
	for i := range t.to.Subnets {
		s := &t.to.Subnets[i]
		if !s.Address.Contains(r.From) || !s.Address.Contains(r.To) {
			continue
		}
		if s.DHCP == nil {
			s.DHCP = &spec.DHCP{}
		}
		for _, old := range s.DHCP.Ranges {
			if old == r {
				return ""
			}
		}
		s.DHCP.Static = false
		t.put(spec.Index(spec.Field(spec.Field(spec.Index("subnets", i), "dhcp"), "ranges"), len(s.DHCP.Ranges)), place)
		s.DHCP.Ranges = append(s.DHCP.Ranges, r)
		return ""
	}
	return "it lies in no <ip> of the network"
}
