package socket

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"

	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
)

// tokens is a client that hears of answers: each gives back a token.
type tokens chan struct{}

func (c tokens) DHCP4(Packet)                 { c <- struct{}{} }
func (c tokens) DHCP6(Packet)                 {}
func (c tokens) Solicit(Packet)               {}
func (c tokens) ARP(_ spec.MAC, _ netip.Addr) {}

// echo answers every message to port 67 with one.
type echo struct {
	tokens
	ready   chan struct{} // closed when the link is there
	link    *Link
	payload []byte
}

func (e *echo) DHCP4(p Packet) {
	<-e.ready
	e.link.Send(Packet{MAC: p.MAC, From: p.To, To: netip.AddrPortFrom(guest4, 67), Payload: e.payload})
}

// BenchmarkLinkEcho is one message of 300 bytes from a guest and one back, both
// ends in this process.
func BenchmarkLinkEcho(b *testing.B) {
	machine, guest := newWorld(b)
	server := &echo{ready: make(chan struct{}), payload: make([]byte, 300)}
	server.link = openLink(b, machine.NS(), "lab0", server)
	close(server.ready)
	window := make(tokens, 64)
	client := openLink(b, guest.NS(), "eth0", window)
	request := Packet{MAC: broadcast, From: netip.AddrPortFrom(guest4, 68), To: netip.AddrPortFrom(host4, 67), Payload: make([]byte, 300)}
	b.ReportAllocs()
	sent := 0
	for b.Loop() {
		if sent++; sent > cap(window) {
			<-window
		}
		if err := client.Send(request); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "exchanges/s")
}

// BenchmarkUDPEcho is one small datagram and its answer. The client on the other
// side sends and receives in batches itself.
func BenchmarkUDPEcho(b *testing.B) {
	for _, readers := range []int{1, 2} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
			ns := nstest.Host(b, "machine").NS()
			listenUDP(b, ns, "127.0.0.1:53", readers, func(_ *UDP, batch []Datagram) {
				for i := range batch {
					batch[i].Reply = append(batch[i].Reply, batch[i].Data...)
				}
			})
			flood(b, ns)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "answers/s")
		})
	}
}

// flood asks b.N times, keeping up to four batches on the way.
func flood(b *testing.B, ns *netns.NS) {
	client, err := ListenUDP(ns, netip.MustParseAddrPort("127.0.0.1:5353"))
	must(b, err)
	defer client.Close()
	questions := question(netip.MustParseAddrPort("127.0.0.1:53"))
	send := sending{u: client}
	send.try = send.once
	r := newReader[*exchange](client.conn, &exchanges)
	b.ReportAllocs()
	b.ResetTimer()
	for asked, answered := 0, 0; answered < b.N; {
		for asked < b.N && asked-answered < 4*batchSize {
			send.answers = questions.answers[:min(batchSize, b.N-asked)]
			asked += len(send.answers)
			must(b, client.conn.raw.Control(send.try))
		}
		got, err := r.next()
		must(b, err)
		answered += got.n
		exchanges.Put(got)
	}
}

// question is a batch of small datagrams to an address.
func question(to netip.AddrPort) *exchange {
	e := &exchange{}
	e.wire()
	e.used = batchSize
	for i := range batchSize {
		e.slots[i] = i
		e.headers[i].Hdr.Namelen = uint32(e.names[i].setAddrPort(to, 0))
		e.datagrams[i].Reply = append(e.replies[i][:0], "a question of about forty bytes, no more"...)
	}
	e.pack()
	return e
}

func TestThousandIdleLinksAreCheap(t *testing.T) {
	const many = 1000
	machine, guest := newWorld(t)
	from := openLink(t, guest.NS(), "eth0", tokens(nil))
	heard := make(tokens, many)
	before := memory()
	var links []*Link
	for range many {
		l, err := OpenLink(machine.NS(), "lab0", heard)
		must(t, err)
		links = append(links, l)
	}
	defer closeAll(links)
	// Each has served before it is idle: it must have given its buffer back.
	must(t, from.Send(Packet{MAC: broadcast, From: discover.From, To: discover.To, Payload: make([]byte, 300)}))
	for range many {
		<-heard
	}
	used := float64(memory()-before) / many / 1024
	t.Logf("%.1f KiB a link", used)
	if used > 12 {
		t.Errorf("an idle link takes %.1f KiB, at most 12 are wanted", used)
	}
}

// closeAll closes some links at a time: what the kernel makes a Close wait for,
// many can wait for together.
func closeAll(links []*Link) {
	var closing sync.WaitGroup
	for some := range slices.Chunk(links, 100) {
		for _, l := range some {
			closing.Go(func() { l.Close() })
		}
		closing.Wait()
	}
}

// memory is what the heap and the stacks of all goroutines take. Buffers in a
// pool survive one collection.
func memory() uint64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
