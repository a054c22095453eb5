package hostlink

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// groups lists the multicast addresses an interface listens to, in the namespace of
// the thread: of the link layer those that were added by hand, of IP those that a
// program asked for.
func groups(index int, name string) (list []Group, err error) {
	for _, read := range []func(int, string) ([]Group, error){staticGroups, groups4, groups6} {
		some, err := read(index, name)
		if err != nil {
			return nil, fmt.Errorf("list groups: %w", err)
		}
		list = append(list, some...)
	}
	return list, nil
}

// rows reads a table of /proc/net, nothing where the kernel does not have it.
func rows(table string) (list [][]string, err error) {
	text, err := os.ReadFile("/proc/thread-self/net/" + table)
	if os.IsNotExist(err) {
		return nil, nil
	}
	for line := range strings.Lines(string(text)) {
		list = append(list, strings.Fields(line))
	}
	return list, err
}

// staticGroups reads rows such as "2 eth0 1 1 333300000001": the fourth counts what
// was added by hand.
func staticGroups(index int, _ string) (list []Group, err error) {
	table, err := rows("dev_mcast")
	for _, row := range table {
		if len(row) != 5 || row[0] != strconv.Itoa(index) || row[3] == "0" {
			continue
		}
		if mac, err := hex.DecodeString(row[4]); err == nil {
			list = append(list, Group{Address: net.HardwareAddr(mac).String(), Static: true})
		}
	}
	return list, err
}

// byKernel4 are the group every host is in (RFC 1112, section 4) and that of snooping
// bridges (RFC 4286, section 5).
var byKernel4 = []netip.Addr{netip.MustParseAddr("224.0.0.1"), netip.MustParseAddr("224.0.0.106")}

// groups4 reads a line for each interface, "2 eth0 : 1 V3", and below it its groups,
// each the number of an address in the order of the host's bytes.
func groups4(index int, _ string) (list []Group, err error) {
	table, err := rows("igmp")
	mine := false
	for _, row := range table {
		switch {
		case len(row) >= 3 && row[2] == ":":
			mine = row[0] == strconv.Itoa(index)
		case mine && len(row) > 0:
			n, err := strconv.ParseUint(row[0], 16, 32)
			a := netip.AddrFrom4([4]byte(bytes32(uint32(n))))
			if err == nil && !slices.Contains(byKernel4, a) {
				list = append(list, Group{Address: a.String()})
			}
		}
	}
	return list, err
}

// groups6 reads rows such as "2 eth0 ff02…01 1 0000000C 0".
func groups6(index int, _ string) (list []Group, err error) {
	table, err := rows("igmp6")
	for _, row := range table {
		if len(row) < 3 || row[0] != strconv.Itoa(index) {
			continue
		}
		b, err := hex.DecodeString(row[2])
		if a, ok := netip.AddrFromSlice(b); err == nil && ok && !joinedByKernel(a) {
			list = append(list, Group{Address: a.String()})
		}
	}
	return list, err
}

// joinedByKernel tells the groups of every node and router and those of neighbour
// discovery (RFC 4291, section 2.7.1), and that of snooping bridges (RFC 4286).
func joinedByKernel(a netip.Addr) bool {
	b := a.As16()
	rest := [13]byte(b[2:15])
	switch {
	case b[1] == 2 && strings.HasPrefix(string(b[2:]), string([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff})):
		return true
	default:
		return rest == [13]byte{} && (b[15] == 1 || b[15] == 2 || b[15] == 0x6a)
	}
}
