package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/coreos/go-systemd/v22/activation"

	"kvmnet/internal/api"
	"kvmnet/internal/handover"
)

// sockets are those the daemon answers at: at one it is told what to do, at the other
// programs get ports.
type sockets struct {
	verbs  net.Listener
	guests *net.UnixListener
}

// listen uses the sockets the service manager passes, and makes those it does not.
func (d *daemon) listen() error {
	s, err := sortOut(activation.Files(true))
	if err == nil && s.verbs == nil {
		s.verbs, err = api.Listen(d.Socket)
	}
	if err != nil {
		return errors.Join(err, s.close())
	}
	d.listener = s.verbs
	if s.guests != nil {
		d.handover = handover.On(s.guests, d.manager, d.Log)
	} else {
		d.handover, err = handover.Listen(handover.Path(d.Socket, d.RuntimeDir), d.manager, d.Log)
	}
	return err
}

// sortOut tells sockets that were passed by their kind: a unit's name for them may be
// changed by who runs the machine, and a socket of packets is always that of guests.
func sortOut(passed []*os.File) (s sockets, err error) {
	for _, f := range passed {
		l, e := net.FileListener(f) // a copy of the descriptor
		f.Close()
		if e == nil {
			e = s.take(l)
		}
		if e != nil {
			err = errors.Join(err, fmt.Errorf("use the socket %s that the service manager passes: %w; it should be a stream or a sequence of packets, of UNIX, one each", f.Name(), e))
		}
	}
	return s, err
}

func (s *sockets) take(l net.Listener) error {
	u, _ := l.(*net.UnixListener)
	switch kind := l.Addr().Network(); {
	case kind == "unix" && s.verbs == nil:
		s.verbs = l
	case kind == "unixpacket" && s.guests == nil:
		s.guests = u
	default:
		l.Close()
		return fmt.Errorf("it is another one of kind %s", kind)
	}
	return nil
}

func (s *sockets) close() (err error) {
	if s.verbs != nil {
		err = s.verbs.Close()
	}
	if s.guests != nil {
		err = errors.Join(err, s.guests.Close())
	}
	return err
}
