package dns

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"kvmnet/internal/nstest"
)

// framed puts messages one after the other as they go over TCP.
func framed(list ...[]byte) (out []byte) {
	for _, b := range list {
		out = append(binary.BigEndian.AppendUint16(out, uint16(len(b))), b...)
	}
	return out
}

// pipe serves one end of a connection as that of the guest and returns the other.
func (s *Server) pipe(t *testing.T) (net.Conn, chan struct{}) {
	near, far := net.Pipe()
	done := make(chan struct{})
	go func() {
		s.serveStream(far, client{from: guest})
		far.Close()
		close(done)
	}()
	t.Cleanup(func() { near.Close() })
	return near, done
}

func TestStreamAnswersInOrder(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, map[string]script{up1: good(up1, time.Second)}, func(f *forwarder) {
		c, done := f.pipe(f.t)
		go c.Write(framed(
			message(f.t, "slow.example.", "A", func(m *dns.Msg) { m.Id = 1 }),
			message(f.t, "vm1.lab.internal.", "A", func(m *dns.Msg) { m.Id = 2 }),
			message(f.t, "slow.example.", "A", func(m *dns.Msg) { m.Id = 3 }),
		))
		var b []byte
		for want := range 3 {
			var err error
			if b, err = readMessage(c, b); err != nil {
				f.t.Fatal(err)
			}
			if m := parse(f.t, b); int(m.Id) != want+1 || len(m.Answer) != 1 {
				f.t.Errorf("answer %d: %v", want, m)
			}
		}
		c.Close()
		<-done
	})
}

func TestIdleStreamIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := offline(t, labPlan(), Options{})
		c, done := s.pipe(t)
		begin := time.Now()
		time.Sleep(streamIdle - time.Second)
		c.Write(framed(message(t, "vm1.lab.internal.", "A")))
		if _, err := readMessage(c, nil); err != nil {
			t.Fatal(err)
		}
		c.Write([]byte{0}) // half a length
		<-done
		if took := time.Since(begin); took != 2*streamIdle-time.Second {
			t.Errorf("closed after %s", took)
		}
	})
}

func TestStreamEndsWithWhatIsNoQuery(t *testing.T) {
	t.Parallel()
	for what, b := range map[string][]byte{"nothing": nil, "an answer": raw("8180", one, vm1A)} {
		s := offline(t, labPlan(), Options{})
		c, done := s.pipe(t)
		c.Write(framed(b))
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%s: %v", what, err)
		}
		<-done
	}
}

func TestStreamsOfOneClientAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, labPlan(), Options{})
	var list []*dns.Conn
	for range mostPerPeer {
		c := w.connect(t, "tcp", "192.168.100.1:53")
		if _, err := exchangeOn(c, "vm1.lab.internal."); err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	c := w.connect(t, "tcp", "192.168.100.1:53")
	if m, err := exchangeOn(c, "vm1.lab.internal."); err == nil {
		t.Errorf("answered: %v", m)
	}
	if n := w.s.Counters().Refused; n != 1 {
		t.Errorf("%d refused", n)
	}
	if m, err := exchangeOn(w.connect(t, "tcp", "[fd00:100::1]:53"), "vm1.lab.internal."); err != nil {
		t.Errorf("another client: %v %v", m, err)
	}
	list[0].Close()
	nstest.Eventually(t, ample, func() error {
		_, err := exchangeOn(w.connect(t, "tcp", "192.168.100.1:53"), "vm1.lab.internal.")
		return err
	})
}

func TestStreamsOfANetworkAreBounded(t *testing.T) {
	t.Parallel()
	var l connections
	client := addr("10.0.0.1")
	add := func() (c, given net.Conn, ok bool) {
		c, _ = net.Pipe()
		given, ok = l.add(c, client)
		return c, given, ok
	}
	first, _, _ := add()
	for i := 1; i < mostStreams; i++ {
		if i%mostPerPeer == 0 {
			client = client.Next()
		}
		if _, given, ok := add(); !ok || given != nil {
			t.Fatalf("connection %d: %v, %v", i, given, ok)
		}
	}
	if _, _, ok := add(); ok {
		t.Error("one client has more than its part")
	}
	l.remove(first)
	client = addr("10.9.9.9")
	if _, given, ok := add(); !ok || given != nil {
		t.Error("no room after one was closed")
	}
	l.remove(first) // once more changes nothing
	for range mostPerPeer / 2 {
		if c, given, ok := add(); !ok || given == nil || given == c {
			t.Error("who comes gets the place of nobody")
		}
	}
	sum := 0
	for _, n := range l.byClient {
		sum += n
	}
	if len(l.open) != mostStreams || sum != mostStreams {
		t.Errorf("%d are open, counted %d", len(l.open), sum)
	}
	l.close()
	if _, _, ok := add(); ok {
		t.Error("a connection came in after the end")
	}
}
