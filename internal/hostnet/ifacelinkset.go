package hostnet

import (
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/spec"
)

// ticksPerSecond is USER_HZ, in which the kernel takes times of bridges.
const ticksPerSecond = 100

// bridge gives a new bridge its settings. Frames between its ports do not pass the
// hooks of IP, as on all bridges of kvmnet. With the spanning tree protocol a delay
// that is too short becomes the shortest (br_stp_start in the kernel).
func (s *starter) bridge(l netlink.Link, b *spec.BridgeDetails) error {
	q := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_ACK)
	m := nl.NewIfInfomsg(unix.AF_UNSPEC)
	m.Index = int32(l.Attrs().Index)
	q.AddData(m)
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("bridge"))
	data := info.AddRtAttr(nl.IFLA_INFO_DATA, nil)
	data.AddRtAttr(nl.IFLA_BR_FORWARD_DELAY, nl.Uint32Attr(uint32(b.Delay)*ticksPerSecond))
	for _, hook := range []int{nl.IFLA_BR_NF_CALL_IPTABLES, nl.IFLA_BR_NF_CALL_IP6TABLES, nl.IFLA_BR_NF_CALL_ARPTABLES} {
		data.AddRtAttr(hook, nl.Uint8Attr(0))
	}
	if b.STP {
		data.AddRtAttr(nl.IFLA_BR_STP_STATE, nl.Uint32Attr(1))
	}
	q.AddData(info)
	return s.ns.Do(func() error {
		_, err := q.Execute(unix.NETLINK_ROUTE, 0)
		return err
	})
}

// advertisements has the kernel take addresses from routers, or not, as the definition
// says; where that says nothing of IPv6 it stays as it is.
func (s *starter) advertisements(i spec.HostInterface) error {
	if i.IPv6 == nil {
		return nil
	}
	value := "0"
	if i.IPv6.Autoconf {
		value = "1"
	}
	return s.ns.Do(func() error {
		err := os.WriteFile(filepath.Join("/proc/sys/net/ipv6/conf", i.Name, "accept_ra"), []byte(value), 0o644)
		if os.IsNotExist(err) {
			return nil // a kernel without IPv6
		}
		return err
	})
}
