package resolved

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
)

// Held is what systemd-resolved has for a link: servers and domains.
type Held struct {
	options Options
	all     registration
}

// Hold reads what systemd-resolved has for a link, so that it can be given to the one
// that takes its place. On a host without systemd-resolved, or where that serves
// another network namespace, it is nothing.
func Hold(ctx context.Context, o Options, index int) (Held, error) {
	h := Held{options: o}
	err := h.with(ctx, func(ctx context.Context, s *session) error {
		shown, err := s.observe(ctx)
		h.all = shown[index]
		return err
	})
	if err != nil {
		return Held{}, fmt.Errorf("ask systemd-resolved for link %d: %w", index, err)
	}
	return h, nil
}

// Give registers it at another link. A link that has the same is left alone, and so is
// one that systemd-networkd manages, which gives it servers itself.
func (h Held) Give(ctx context.Context, index int) error {
	if len(h.all.servers)+len(h.all.domains) == 0 {
		return nil
	}
	err := h.with(ctx, func(ctx context.Context, s *session) error {
		shown, err := s.observe(ctx)
		if err != nil || same(shown[index], h.all) {
			return err
		}
		for _, c := range []call{{"SetLinkDomains", index, []any{h.all.domains}}, {"SetLinkDNS", index, []any{h.all.wireServers()}}, {method: "FlushCaches"}} {
			if err := s.make(ctx, c); err != nil && !isError(err, linkBusy) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("give link %d its resolvers: %w", index, err)
	}
	return nil
}

// with connects for a moment. Nobody to talk to is no failure.
func (h Held) with(ctx context.Context, do func(context.Context, *session) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // closes the connection
	c := &Client{address: cmp.Or(h.options.Address, os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"), systemBus), ns: h.options.NS}
	s, err := c.connect(ctx)
	if err != nil {
		return nil // there is no bus
	}
	if err := s.meet(ctx); err != nil {
		if errors.Is(err, errAbsent) || errors.Is(err, errElsewhere) {
			return nil
		}
		return err
	}
	return do(ctx, s)
}
