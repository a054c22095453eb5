package hostlink

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
)

// Apply does ops in their order. It calls each before every op, and does not do that
// op, nor any after it, when each returns an error. A failure ends it, too; of the ops
// that the kernel was given together, some that come after the one that failed may
// have been done.
func Apply(ctx context.Context, ns *netns.NS, ops []Op, each func(i int, op Op) error) error {
	s, err := open(ns)
	if err != nil {
		return err
	}
	defer s.close()
	w := worker{socket: s, ns: ns, known: map[string]int{}}
	for i, op := range ops {
		err := ctx.Err()
		if err == nil && each != nil {
			err = each(i, op)
		}
		if err != nil {
			return errors.Join(err, w.flush())
		}
		if err := w.do(op); err != nil {
			return err
		}
	}
	return w.flush()
}

// worker gathers requests to give them to the kernel together: what moves routes and
// addresses is done in one call, without anybody in between.
type worker struct {
	*socket
	ns      *netns.NS
	known   map[string]int
	waiting []change
	made    []request
}

func (w *worker) do(op Op) error {
	switch o := op.(type) {
	case change:
		return w.add(o)
	case interface{ do(*socket) error }:
		return errors.Join(w.flush(), o.do(w.socket))
	case interface{ do() error }:
		if err := w.flush(); err != nil {
			return err
		}
		return w.ns.Do(o.do)
	}
	return fmt.Errorf("%s: this is not one of ours", op)
}

func (w *worker) add(c change) error {
	r, err := c.request(w.index)
	if errors.Is(err, ErrNoInterface) && len(c.fine) > 0 && c.fine[0] == gone[0] {
		return nil // with its interface
	}
	if err != nil {
		return errors.Join(w.flush(), fmt.Errorf("%s: %w", c, err))
	}
	w.waiting, w.made = append(w.waiting, c), append(w.made, r)
	if c.kind == unix.RTM_NEWLINK || c.kind == unix.RTM_DELLINK {
		return w.flush()
	}
	return nil
}

// flush gives the kernel what has been gathered.
func (w *worker) flush() error {
	waiting, made := w.waiting, w.made
	w.waiting, w.made = nil, nil
	verdicts, err := w.change(made)
	for i, v := range verdicts {
		if failure := waiting[i].judge(v); failure != nil {
			return failure
		}
		if waiting[i].kind == unix.RTM_DELLINK {
			clear(w.known)
		}
	}
	return err
}

func (w *worker) index(name string) (int, error) {
	if n, there := w.known[name]; there {
		return n, nil
	}
	d, err := w.device(name)
	if err == nil {
		w.known[name] = d.index
	}
	return d.index, err
}

// device asks for one link by its name.
func (s *socket) device(name string) (device, error) {
	body := Attrs{{unix.IFLA_IFNAME, bytesText(name)}, {unix.IFLA_EXT_MASK, bytes32(skipStatistics)}}.appendTo(linkHead(0, 0))
	d, err := s.get(request{unix.RTM_GETLINK, 0, body})
	if errors.Is(err, unix.ENODEV) {
		return device{}, fmt.Errorf("%s: %w", name, ErrNoInterface)
	}
	return d, err
}

// get asks for one link, which comes without an acknowledgement.
func (s *socket) get(r request) (device, error) {
	first, err := s.send([]request{r})
	if err != nil {
		return device{}, err
	}
	buf := make([]byte, answerBuffer)
	for {
		answers, err := s.receive(buf)
		if err != nil {
			return device{}, err
		}
		for _, a := range answers {
			if a.seq != first {
				continue
			}
			if a.kind == unix.NLMSG_ERROR {
				return device{}, verdict(a)
			}
			d, _ := parseDevice(a.body)
			return d, nil
		}
	}
}
