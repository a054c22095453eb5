package hostnet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strings"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/hostlink"
	"kvmnet/internal/netns"
	"kvmnet/internal/spec"
)

// links is the kernel of a network namespace.
type links struct {
	ns       *netns.NS
	beforeOp func()
	log      *slog.Logger
	// resolvers has what is registered for links; nil = nobody.
	resolvers Resolvers
	// borrowed are settings that kvmnet has changed, by their paths, with the values that
	// are the host's own. Those are moved, for the others are given back.
	borrowed func() (map[string]string, error)
}

// into implements kernel.
func (l links) into(nic, bridge string, o bridgeOptions) (move, error) {
	before, err := l.look(nic, bridge)
	if err != nil {
		return move{}, err
	}
	b := before.Bridge
	if b != nil && ofNetworks(b.Link.Alias) {
		return move{}, conflict(fmt.Sprintf("move %s into a bridge: %s is the bridge of a network: give the guests a network of mode bridge, or take another name", nic, bridge))
	}
	unheard := l.holdDNS(&before)
	ops, warnings, err := hostlink.Convert(before, hostlink.Options{Bridge: bridge, STP: o.STP, Delay: o.Delay})
	if err != nil {
		return move{}, conflict(fmt.Sprintf("move %s into a bridge: %v", nic, err))
	}
	m, err := l.move(before, ops, warnings, dnsInto(before, bridge))
	if err == nil && b != nil {
		m.Own, err = json.Marshal(b)
	}
	m.Warnings = append(m.Warnings, unheard...)
	return m, err
}

// back implements kernel.
func (l links) back(bridge, nic string, own json.RawMessage) (move, error) {
	before, err := l.look(nic, bridge)
	if err != nil {
		return move{}, err
	}
	var of *hostlink.State
	if own != nil {
		if err := json.Unmarshal(own, &of); err != nil {
			return move{}, fmt.Errorf("read what %s had before %s: %w", bridge, nic, err)
		}
	}
	ops, warnings, err := hostlink.Unconvert(before, of)
	if err != nil {
		return move{}, conflict(fmt.Sprintf("move %s out of %s: %v", nic, bridge, err))
	}
	unheard := l.holdDNS(&before)
	dns, err := l.dnsBack(before, of)
	if err != nil {
		return move{}, err
	}
	m, err := l.move(before, ops, warnings, dns)
	m.Warnings = append(m.Warnings, unheard...)
	return m, err
}

// look is what there is, with the host's own values of what we have borrowed.
func (l links) look(nic, bridge string) (hostlink.State, error) {
	s, err := hostlink.Look(l.ns, nic, bridge)
	if errors.Is(err, hostlink.ErrNoInterface) {
		return s, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("%v; 'ip link' lists them", err)}
	}
	if err != nil {
		return s, err
	}
	borrowed, err := l.borrowed()
	if err != nil {
		return s, err
	}
	for _, state := range []*hostlink.State{&s, s.Bridge} {
		if state == nil {
			continue
		}
		for key := range state.Settings {
			if own, is := borrowed[path.Join("net", path.Dir(key), state.Name, path.Base(key))]; is {
				state.Settings[key] = own
			}
		}
	}
	return s, nil
}

func (l links) move(before hostlink.State, ops []hostlink.Op, warnings []hostlink.Warning, dns []present) (move, error) {
	data, err := json.Marshal(before)
	if err != nil {
		return move{}, err
	}
	m := move{Before: data, outage: new(time.Duration), late: new([]string)}
	m.do = func(ctx context.Context) (err error) {
		if *m.outage, err = l.do(ctx, ops); err == nil {
			*m.late = l.giveDNS(ctx, dns)
		}
		return err
	}
	for _, op := range ops {
		m.Ops = append(m.Ops, op.String())
	}
	for _, w := range warnings {
		m.Warnings = append(m.Warnings, string(w))
	}
	m.Live, err = l.live(before.Name)
	return m, err
}

// live is the interface as files would tell of it.
func (l links) live(name string) (spec.HostInterface, error) {
	list, err := hostlink.List(l.ns)
	if err != nil {
		return spec.HostInterface{}, err
	}
	for _, i := range list {
		if i.Name == name {
			return i.HostInterface, nil
		}
	}
	return spec.HostInterface{Name: name}, nil // a port, of which nothing is written
}

// apply implements kernel.
func (l links) apply(ctx context.Context, m move) error { return m.do(ctx) }

// do tells the time from when the NIC goes in or out of the bridge: what comes before
// is beside what is in use, and when it waits for the kernel to notice something the way
// is there.
func (l links) do(ctx context.Context, ops []hostlink.Op) (outage time.Duration, err error) {
	begun, ended := time.Now(), time.Time{}
	err = hostlink.Apply(ctx, l.ns, ops, func(_ int, op hostlink.Op) error {
		switch text := op.String(); {
		case strings.Contains(text, " master ") || strings.HasSuffix(text, " nomaster"):
			begun = time.Now()
		case strings.Contains(text, "the kernel notices") && ended.IsZero():
			ended = time.Now()
		}
		if l.beforeOp != nil {
			l.beforeOp()
		}
		return nil
	})
	if ended.Before(begun) {
		ended = time.Now()
	}
	return ended.Sub(begun), err
}

// revert implements kernel.
func (l links) revert(ctx context.Context, data json.RawMessage) error {
	var before hostlink.State
	if err := json.Unmarshal(data, &before); err != nil {
		return fmt.Errorf("read what there was before: %w", err)
	}
	for range revertTurns {
		now, err := hostlink.Again(l.ns, before)
		if err != nil {
			return err
		}
		ops, err := hostlink.Revert(now, before)
		if err != nil {
			return err
		}
		if len(ops) == 0 {
			break
		}
		if _, err := l.do(ctx, ops); err != nil {
			return err
		}
	}
	for _, w := range l.giveDNS(ctx, dnsBefore(before)) {
		l.log.Warn("give links their resolvers again", "trouble", w)
	}
	return nil
}

// revertTurns are as many as hostlink.Revert may need.
const revertTurns = 2

// exists implements kernel.
func (l links) exists(name string) (bool, error) {
	names, err := linkNames(l.ns)
	return slices.Contains(names, name), err
}
