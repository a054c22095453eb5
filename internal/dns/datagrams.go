package dns

import "kvmnet/internal/socket"

// serveDatagrams answers what comes on a socket until it is closed. A socket that
// fails is given up, so that the next Set opens another one.
func (s *Server) serveDatagrams(l *listener, u *socket.UDP) {
	d := datagrams{s: s, u: u}
	d.r.later = d.reply
	err := u.Serve(d.batch)
	if err == nil {
		return
	}
	s.o.Log.Error("serve DNS", "error", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	u.Close()
	if l.udp == u {
		l.udp = nil
	}
}

// datagrams is what one goroutine needs, made once so that a query allocates
// nothing.
type datagrams struct {
	s   *Server
	u   *socket.UDP
	r   request
	now *socket.Datagram
}

func (d *datagrams) batch(list []socket.Datagram) {
	st := d.s.state.Load()
	if st == nil {
		return
	}
	defer d.forget()
	for i := range list {
		d.now = &list[i]
		c, ok := d.s.admits(st, d.now.From, d.now.Index, false)
		if !ok {
			d.s.tally.denied.Add(1)
			continue
		}
		d.r.st, d.r.who, d.r.out = st, c, d.now.Reply
		d.now.Reply, _ = d.s.handle(&d.r, d.now.Data, false)
	}
}

// forget lets go of the batch and of the configuration while nothing comes.
func (d *datagrams) forget() { d.now, d.r.st, d.r.out, d.r.name = nil, nil, nil, nil }

// reply makes a function that answers the datagram at hand later.
func (d *datagrams) reply() func([]byte) {
	to, index, u := d.now.From, d.now.Index, d.u
	return func(b []byte) { u.Send(to, index, b) }
}
