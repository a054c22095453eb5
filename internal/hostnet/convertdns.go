package hostnet

import (
	"context"
	"fmt"
	"time"

	"kvmnet/internal/api"
)

// dnsPatience is how long systemd-resolved may keep a conversion waiting.
const dnsPatience = 2 * time.Second

// holdDNS reads the resolvers of an interface, and returns how to give them to the one
// that takes its place. A reverted bridge takes its resolvers along; the NIC's own were
// never taken from it. That this fails is no reason to go back: it is told.
func (h *Host) holdDNS(ctx context.Context, iface string, c *api.Conversion) (give func(iface string)) {
	warn := func(err error) {
		if err != nil {
			c.Warnings = append(c.Warnings, fmt.Sprintf("the resolvers of %s stay where they are: %v", iface, err))
		}
	}
	if h.HoldDNS == nil {
		return func(string) {}
	}
	held, cancel := context.WithTimeout(ctx, dnsPatience)
	defer cancel()
	index, err := indexOf(h.NS, iface)
	if err != nil {
		return func(string) {} // what comes next tells that
	}
	put, err := h.HoldDNS(held, index)
	warn(err)
	return func(to string) {
		if put == nil {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, dnsPatience)
		defer cancel()
		index, err := indexOf(h.NS, to)
		if err == nil {
			err = put(ctx, index)
		}
		warn(err)
	}
}
