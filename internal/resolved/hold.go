package resolved

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
)

// Resolvers are what systemd-resolved has for links of the host, to be given to the link
// that takes the place of another one. On a host without systemd-resolved, or where that
// serves another network namespace, there are none.
type Resolvers struct{ Options }

// held is what there is of a link, as it is kept.
type held struct {
	Servers []netip.Addr `json:"servers,omitempty"`
	Domains []domain     `json:"domains,omitempty"`
}

// Hold reads the servers and domains of a link, as JSON, nil when there is nobody to ask.
func (r Resolvers) Hold(ctx context.Context, index int) (text json.RawMessage, err error) {
	err = r.with(ctx, func(ctx context.Context, s *session) error {
		shown, err := s.observe(ctx)
		if of := shown[index]; err == nil {
			text, err = json.Marshal(held{of.servers, of.domains})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ask systemd-resolved for link %d: %w", index, err)
	}
	return text, nil
}

// Give registers what was held, all of it, at a link, and nothing else; without any the
// link has none afterwards. A link that has the same is left alone, and so is one that
// systemd-networkd manages, which gives it servers itself.
func (r Resolvers) Give(ctx context.Context, index int, list ...json.RawMessage) error {
	want, err := together(list)
	if err == nil {
		err = r.with(ctx, func(ctx context.Context, s *session) error { return s.give(ctx, index, want) })
	}
	if err != nil {
		return fmt.Errorf("give link %d its resolvers: %w", index, err)
	}
	return nil
}

func (s *session) give(ctx context.Context, index int, want registration) error {
	shown, err := s.observe(ctx)
	if err != nil || same(shown[index], want) {
		return err
	}
	calls := []call{{"SetLinkDomains", index, []any{want.domains}}, {"SetLinkDNS", index, []any{want.wireServers()}}, {method: "FlushCaches"}}
	if len(want.servers)+len(want.domains) == 0 {
		calls = []call{{method: "RevertLink", index: index}, {method: "FlushCaches"}}
	}
	for _, c := range calls {
		if err := s.make(ctx, c); err != nil && !isError(err, linkBusy) {
			return err
		}
	}
	return nil
}

// together joins what was held, each server and domain once.
func together(list []json.RawMessage) (all registration, err error) {
	for _, text := range list {
		h, err := read(text)
		if err != nil {
			return all, err
		}
		all.servers = unite(all.servers, h.Servers)
		all.domains = unite(all.domains, h.Domains)
	}
	return all, nil
}

func unite[T comparable](all, more []T) []T {
	for _, v := range more {
		if !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

func read(text json.RawMessage) (h held, err error) {
	if text != nil {
		err = json.Unmarshal(text, &h)
	}
	return h, err
}

// Without is what was held without what else was.
func (Resolvers) Without(all, other json.RawMessage) (json.RawMessage, error) {
	a, err1 := read(all)
	b, err2 := read(other)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	a.Servers = slices.DeleteFunc(a.Servers, func(s netip.Addr) bool { return slices.Contains(b.Servers, s) })
	a.Domains = slices.DeleteFunc(a.Domains, func(d domain) bool { return slices.Contains(b.Domains, d) })
	return json.Marshal(a)
}

// with connects for a moment. Nobody to talk to is no failure.
func (r Resolvers) with(ctx context.Context, do func(context.Context, *session) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // closes the connection
	c := &Client{address: cmp.Or(r.Address, os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"), systemBus), ns: r.NS}
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
