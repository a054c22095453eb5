package hostnet

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"kvmnet/internal/hostlink"
)

// Resolvers has the resolvers that are registered for links, by their numbers.
type Resolvers interface {
	// Hold tells those of a link, nil when nobody knows.
	Hold(ctx context.Context, index int) (json.RawMessage, error)
	// Give gives a link those that were held, and no others.
	Give(ctx context.Context, index int, held ...json.RawMessage) error
	// Without is what was held without what else was.
	Without(all, other json.RawMessage) (json.RawMessage, error)
}

// dnsPatience is how long systemd-resolved may keep a conversion waiting.
const dnsPatience = 2 * time.Second

// present are resolvers that a link is to have.
type present struct {
	link string
	held []json.RawMessage
}

// holdDNS notes the resolvers of the NIC and of its bridge. That this fails is no reason
// not to convert: it is told.
func (l links) holdDNS(s *hostlink.State) (warnings []string) {
	if l.resolvers == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), dnsPatience)
	defer cancel()
	for _, of := range []*hostlink.State{s, s.Bridge} {
		if of == nil {
			continue
		}
		var err error
		if of.DNS, err = l.resolvers.Hold(ctx, of.Index); err != nil {
			warnings = append(warnings, fmt.Sprintf("the resolvers of %s stay where they are: %v", of.Name, err))
		}
	}
	return warnings
}

// dnsInto gives the bridge the NIC's resolvers, beside its own. The NIC keeps them, too:
// a port resolves nothing.
func dnsInto(s hostlink.State, bridge string) []present {
	p := present{link: bridge}
	if s.Bridge != nil && s.Bridge.DNS != nil {
		p.held = append(p.held, s.Bridge.DNS)
	}
	if s.DNS == nil {
		return nil
	}
	return []present{{bridge, append(p.held, s.DNS)}}
}

// dnsBack gives the NIC the bridge's resolvers but those that are its own, which it has
// again.
func (l links) dnsBack(s hostlink.State, own *hostlink.State) (list []present, err error) {
	if s.DNS == nil || s.Bridge.DNS == nil {
		return nil, nil
	}
	rest := s.Bridge.DNS
	if own != nil && own.DNS != nil {
		if rest, err = l.resolvers.Without(rest, own.DNS); err != nil {
			return nil, err
		}
		list = append(list, present{s.Bridge.Name, []json.RawMessage{own.DNS}})
	}
	return append(list, present{s.Name, []json.RawMessage{s.DNS, rest}}), nil
}

// dnsBefore gives both what they had.
func dnsBefore(before hostlink.State) (list []present) {
	for _, s := range []*hostlink.State{&before, before.Bridge} {
		if s != nil && s.DNS != nil {
			list = append(list, present{s.Name, []json.RawMessage{s.DNS}})
		}
	}
	return list
}

// giveDNS gives links their resolvers, and tells what hinders that: it is no reason to
// go back.
func (l links) giveDNS(ctx context.Context, list []present) (warnings []string) {
	if l.resolvers == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, dnsPatience)
	defer cancel()
	for _, p := range list {
		index, err := indexOf(l.ns, p.link)
		if err == nil {
			err = l.resolvers.Give(ctx, index, p.held...)
		}
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("%s does not get its resolvers: %v", p.link, err))
		}
	}
	return warnings
}
