package kernel

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"kvmnet/internal/netns"
	"kvmnet/internal/spec"
)

// Listeners are the sockets of one protocol that wait for others in a namespace,
// sorted by port.
type Listeners []listener

// FindListeners asks who listens in a namespace. The protocol is tcp, udp or sctp.
func FindListeners(ns *netns.NS, protocol string) (Listeners, error) {
	t, known := transports[protocol]
	if !known {
		return nil, fmt.Errorf("protocol %q has no ports", protocol)
	}
	list, err := listeners(ns, t)
	if err != nil {
		return nil, fmt.Errorf("find who holds %s ports: %w", protocol, err)
	}
	slices.SortFunc(list, func(a, b listener) int {
		return cmp.Or(cmp.Compare(a.at.Port(), b.at.Port()), a.at.Addr().Compare(b.at.Addr()))
	})
	return list, nil
}

// Holder names the process that listens on one of the ports, such as "nginx (pid
// 1234) on 0.0.0.0:8080", or "" when none does. The zero address means every address
// of both families, and 0.0.0.0 or :: every one of its own. Of several it names the
// one with the lowest port. Processes of other users are found with CAP_SYS_PTRACE
// only.
func (list Listeners) Holder(addr netip.Addr, ports spec.PortRange) string {
	first, _ := slices.BinarySearchFunc(list, ports.From, func(l listener, port uint16) int { return cmp.Compare(l.at.Port(), port) })
	for _, l := range list[first:] {
		if l.at.Port() > ports.To {
			break
		}
		if l.takes(addr) {
			return fmt.Sprintf("%s on %s", processOf(l.inode), l.at)
		}
	}
	return ""
}

// takes says whether the socket hears of what is sent to an address, or to one of
// those that it stands for.
func (l listener) takes(addr netip.Addr) bool {
	own := l.at.Addr()
	switch {
	case !addr.IsValid():
		return true
	case own.Is4() != addr.Unmap().Is4():
		return l.dual
	}
	return own.IsUnspecified() || addr.IsUnspecified() || own.WithZone("") == addr.Unmap().WithZone("")
}

// processOf names the process that has a socket open.
func processOf(inode uint32) string {
	target := fmt.Sprintf("socket:[%d]", inode)
	lists, _ := filepath.Glob("/proc/[0-9]*/fd") // the pattern is well formed
	for _, list := range lists {
		fds, _ := os.ReadDir(list) // empty when the process ended meanwhile
		for _, fd := range fds {
			if got, _ := os.Readlink(filepath.Join(list, fd.Name())); got != target {
				continue
			}
			dir := filepath.Dir(list)
			if comm, err := os.ReadFile(filepath.Join(dir, "comm")); err == nil {
				return fmt.Sprintf("%s (pid %s)", strings.TrimSuffix(string(comm), "\n"), filepath.Base(dir))
			}
		}
	}
	return "another process"
}
