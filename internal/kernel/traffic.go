package kernel

import (
	"context"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Traffic is what passed a link since it was made.
type Traffic struct {
	RxPackets, RxBytes uint64 // that came in
	TxPackets, TxBytes uint64 // that went out
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
	all := make(map[string]Traffic, len(msgs))
	for _, m := range msgs {
		if name, t := parseTraffic(m); name != "" {
			all[name] = t
		}
	}
	return all, nil
}

// parseTraffic reads the first numbers of struct rtnl_link_stats64.
func parseTraffic(m []byte) (name string, t Traffic) {
	for kind, v := range attrs(m[min(unix.SizeofIfInfomsg, len(m)):]) {
		switch {
		case kind == unix.IFLA_IFNAME:
			name = unix.ByteSliceToString(v)
		case kind == unix.IFLA_STATS64 && len(v) >= 32:
			t.RxPackets, t.TxPackets = native.Uint64(v), native.Uint64(v[8:])
			t.RxBytes, t.TxBytes = native.Uint64(v[16:]), native.Uint64(v[24:])
		}
	}
	return name, t
}
