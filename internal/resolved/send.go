package resolved

import (
	"context"
	"errors"
	"fmt"

	"github.com/godbus/dbus/v5"
)

// Names of errors.
const (
	noSuchLink    = resolveName + ".NoSuchLink"
	linkBusy      = resolveName + ".LinkBusy"
	unknownMethod = busName + ".Error.UnknownMethod"
	noReply       = busName + ".Error.NoReply"
	nobody        = busName + ".Error.ServiceUnknown"
)

// send makes the calls in order. A link that is refused keeps its place for the
// next pass and stops no other link; when nobody answers, the pass ends.
func (s *session) send(ctx context.Context, calls []call, want map[int]registration) error {
	refused := map[int]error{}
	var errs []error
	for _, c := range calls {
		if refused[c.index] != nil {
			continue
		}
		s.touch(c)
		err := s.make(ctx, c)
		if err != nil {
			refused[c.index] = err
			errs = append(errs, explain(c, want, err))
		}
		if isFatal(err) {
			return errors.Join(errs...)
		}
	}
	s.settle(want, refused)
	return errors.Join(errs...)
}

// touch notes, before a call, that a link may have something of ours.
func (s *session) touch(c call) {
	if _, known := s.sent[c.index]; !known && c.index != 0 {
		s.sent[c.index] = false
	}
}

// make makes one call. What only newer versions know (DNSOverTLS came with 239,
// DefaultRoute with 240) an older one does not do anyway; a link that is gone, or
// that systemd-networkd manages by now, has nothing of ours to revert.
func (s *session) make(ctx context.Context, c call) error {
	err := s.call(ctx, s.manager, managerName+"."+c.method, c.all()...).Err
	switch {
	case c.method == "RevertLink":
		if err == nil || isError(err, noSuchLink, linkBusy) {
			delete(s.sent, c.index)
			return nil
		}
	case isError(err, unknownMethod):
		return nil
	}
	return err
}

// settle notes which links have all their settings now.
func (s *session) settle(want map[int]registration, refused map[int]error) {
	for index := range s.sent {
		if _, wanted := want[index]; wanted {
			s.sent[index] = refused[index] == nil
		}
	}
}

// isFatal tells that the next call would fare no better: the connection is lost,
// or systemd-resolved is gone or does not answer.
func isFatal(err error) bool {
	if err == nil {
		return false
	}
	if _, answered := errors.AsType[dbus.Error](err); !answered {
		return true
	}
	return isError(err, noReply, nobody)
}

func explain(c call, want map[int]registration, err error) error {
	name := want[c.index].name
	switch {
	case c.index == 0:
		return fmt.Errorf("flush the caches of systemd-resolved: %w", err)
	case c.method == "RevertLink":
		return fmt.Errorf("take link %d from systemd-resolved: %w", c.index, err)
	case isError(err, linkBusy):
		return fmt.Errorf("register %s with systemd-resolved: systemd-networkd manages the link (%w): set DNS= and Domains= in its .network file, or Unmanaged=yes", name, err)
	}
	return fmt.Errorf("register %s with systemd-resolved: %s: %w", name, c.method, err)
}
