package kernel

import (
	"context"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Traffic is what passed a link since it was made.
type Traffic struct {
	RxPackets, RxBytes, RxDropped uint64 // that came in; what was dropped found no room
	TxPackets, TxBytes, TxDropped uint64 // that went out, and what its limit dropped before
}

// Traffic counts what passed the links of the namespace, by their names.
func (k *Kernel) Traffic(ctx context.Context) (map[string]Traffic, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	msgs, err := k.dump(unix.RTM_GETLINK, unix.RTM_NEWLINK, nl.NewIfInfomsg(unix.AF_UNSPEC))
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	all, limited := make(map[string]Traffic, len(msgs)), map[int]string{}
	for _, m := range msgs {
		name, qdisc, t := parseTraffic(m)
		if name == "" {
			continue
		}
		if all[name] = t; qdisc == tokenBucket {
			limited[number(m[4:])] = name
		}
	}
	return all, k.addDropped(all, limited)
}

// parseTraffic reads the first numbers of struct rtnl_link_stats64.
func parseTraffic(m []byte) (name, qdisc string, t Traffic) {
	for kind, v := range attrs(m[min(unix.SizeofIfInfomsg, len(m)):]) {
		switch {
		case kind == unix.IFLA_IFNAME:
			name = unix.ByteSliceToString(v)
		case kind == unix.IFLA_QDISC:
			qdisc = unix.ByteSliceToString(v)
		case kind == unix.IFLA_STATS64 && len(v) >= 64:
			t.RxPackets, t.TxPackets = native.Uint64(v), native.Uint64(v[8:])
			t.RxBytes, t.TxBytes = native.Uint64(v[16:]), native.Uint64(v[24:])
			t.RxDropped, t.TxDropped = native.Uint64(v[48:]), native.Uint64(v[56:])
		}
	}
	return name, qdisc, t
}

// addDropped adds what the limits of links dropped: the links do not count that.
func (k *Kernel) addDropped(all map[string]Traffic, limited map[int]string) error {
	if len(limited) == 0 {
		return nil
	}
	msgs, err := k.dump(unix.RTM_GETQDISC, unix.RTM_NEWQDISC, &nl.TcMsg{Family: unix.AF_UNSPEC})
	if err != nil {
		return fmt.Errorf("list qdiscs: %w", err)
	}
	for _, m := range msgs {
		if len(m) < nl.SizeofTcMsg || native.Uint32(m[12:]) != rootHandle {
			continue
		}
		if name, ok := limited[number(m[4:])]; ok {
			t := all[name]
			t.TxDropped += uint64(statsOf(m[nl.SizeofTcMsg:]).dropped)
			all[name] = t
		}
	}
	return nil
}
