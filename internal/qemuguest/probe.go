package qemuguest

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Ping sends up to three echo requests from the guest, a second apart, and is
// done with the first answer. An unanswered one is an error with what ping said.
func (g *Guest) Ping(ctx context.Context, to netip.Addr) error {
	out, exit, err := g.Run(ctx, "for i in 1 2 3; do ping -c 1 -W 1 "+to.String()+" && exit 0; done; exit 1")
	if err == nil && exit != 0 {
		err = fmt.Errorf("ping %s from guest %s: %s", to, g.name, strings.TrimSpace(out))
	}
	return err
}

// Seen connects by TCP to a server that answers each connection with the line
// "ADDRESS PORT", and returns it: the source that the other side saw.
func (g *Guest) Seen(ctx context.Context, to netip.AddrPort) (netip.AddrPort, error) {
	out, exit, err := g.Run(ctx, fmt.Sprintf("nc -w 3 %s %d", to.Addr(), to.Port()))
	if err != nil {
		return netip.AddrPort{}, err
	}
	addr, port, _ := strings.Cut(strings.TrimSpace(out), " ")
	a, bad := netip.ParseAddr(addr)
	n, err := strconv.ParseUint(port, 10, 16)
	if exit != 0 || bad != nil || err != nil {
		return netip.AddrPort{}, fmt.Errorf("connect to %s from guest %s: exit code %d: %s", to, g.name, exit, strings.TrimSpace(out))
	}
	return netip.AddrPortFrom(a, uint16(n)), nil
}
