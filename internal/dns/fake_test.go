package dns

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"kvmnet/internal/netns"
)

// fake is an upstream server, over UDP and TCP.
type fake struct {
	at    netip.AddrPort
	asked atomic.Int64 // over UDP
	tcp   atomic.Int64
}

// upstreamAt starts an upstream server in a namespace. The handler gets every
// query; what it returns is sent, nil = silence.
func upstreamAt(t testing.TB, ns *netns.NS, at string, handle func(q *dns.Msg, stream bool) *dns.Msg) *fake {
	t.Helper()
	f := &fake{at: server(at)}
	var packets net.PacketConn
	var streams net.Listener
	err := ns.Do(func() (err error) {
		if packets, err = net.ListenPacket("udp", at); err == nil {
			streams, err = net.Listen("tcp", at)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	h := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		_, stream := w.RemoteAddr().(*net.TCPAddr)
		if stream {
			f.tcp.Add(1)
		} else {
			f.asked.Add(1)
		}
		if m := handle(q, stream); m != nil {
			w.WriteMsg(m)
		}
	})
	for _, s := range []*dns.Server{{PacketConn: packets, Handler: h}, {Listener: streams, Handler: h}} {
		ready := make(chan struct{})
		s.NotifyStartedFunc = func() { close(ready) }
		go s.ActivateAndServe()
		<-ready
		t.Cleanup(func() { s.Shutdown() })
	}
	return f
}

// answering answers every question about addresses.
func answering(ttl uint32, a string) func(*dns.Msg, bool) *dns.Msg {
	return func(q *dns.Msg, _ bool) *dns.Msg {
		m := new(dns.Msg).SetReply(q)
		m.RecursionAvailable = true
		h := dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: ttl}
		m.Answer = []dns.RR{&dns.A{Hdr: h, A: net.ParseIP(a)}}
		return m
	}
}
