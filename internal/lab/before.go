package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"kvmnet/internal/testhost"
)

// snapshot lists what a network manager could leave on a machine: links with
// their addresses, routes, nftables, and settings, a line each, sorted.
func snapshot(ctx context.Context, h *testhost.Host) ([]string, error) {
	var lines []string
	for _, look := range []func(context.Context, *testhost.Host) ([]string, error){links, routes, rules, settings} {
		more, err := look(ctx, h)
		if err != nil {
			return nil, fmt.Errorf("look at %s: %w", h.Name(), err)
		}
		lines = append(lines, more...)
	}
	slices.Sort(lines)
	return lines, nil
}

func links(_ context.Context, h *testhost.Host) (lines []string, err error) {
	list, err := h.Netlink().LinkList()
	for _, l := range list {
		a := l.Attrs()
		lines = append(lines, fmt.Sprintf("link %s type %s mtu %d master %d flags %s alias %q", a.Name, l.Type(), a.MTU, a.MasterIndex, a.Flags, a.Alias))
		addrs, err := h.Netlink().AddrList(l, netlink.FAMILY_ALL)
		if err != nil {
			return nil, err
		}
		for _, p := range addrs {
			lines = append(lines, fmt.Sprintf("address %s dev %s", p.IPNet, a.Name))
		}
	}
	return lines, err
}

func routes(_ context.Context, h *testhost.Host) (lines []string, err error) {
	list, err := h.Netlink().RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{}, netlink.RT_FILTER_TABLE)
	for _, r := range list {
		lines = append(lines, "route "+r.String())
	}
	return lines, err
}

func rules(ctx context.Context, h *testhost.Host) ([]string, error) {
	out, err := h.Command(ctx, "nft", "--stateless", "list", "ruleset").Output()
	var lines []string
	for l := range strings.Lines(string(out)) {
		lines = append(lines, "nft "+strings.TrimSpace(l))
	}
	return lines, err
}

// settings are the per-interface settings, and what switches routing.
func settings(_ context.Context, h *testhost.Host) (lines []string, err error) {
	err = h.NS().Do(func() error {
		paths := []string{"/proc/sys/net/ipv4/ip_forward"}
		for _, pattern := range []string{"/proc/sys/net/ipv4/conf/*/*", "/proc/sys/net/ipv6/conf/*/*"} {
			more, err := filepath.Glob(pattern)
			if err != nil {
				return err
			}
			paths = append(paths, more...)
		}
		for _, p := range paths {
			// stable_secret cannot be read before it is set.
			if value, err := os.ReadFile(p); err == nil {
				lines = append(lines, strings.TrimPrefix(p, "/proc/sys/")+" = "+strings.TrimSpace(string(value)))
			}
		}
		return nil
	})
	return lines, err
}

// changed lists the lines that only one of two snapshots has.
func changed(before, after []string) (diff []string) {
	for _, l := range before {
		if !slices.Contains(after, l) {
			diff = append(diff, "- "+l)
		}
	}
	for _, l := range after {
		if !slices.Contains(before, l) {
			diff = append(diff, "+ "+l)
		}
	}
	return diff
}
