package lab

import (
	"net/netip"
	"testing"

	"kvmnet/internal/testhost"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	own := netip.MustParseAddr("10.0.0.20")
	icmp := answer{testhost.ICMP, testhost.Result{OK: true, By: own}}
	tcp := func(seen string) answer {
		return answer{testhost.TCP, testhost.Result{OK: true, Seen: netip.MustParseAddr(seen)}}
	}
	udp := func(seen string) answer {
		return answer{testhost.UDP, testhost.Result{OK: true, Seen: netip.MustParseAddr(seen)}}
	}
	silent := answer{testhost.TCP, testhost.Result{Reason: testhost.Timeout}}
	for _, c := range []struct {
		name    string
		answers []answer
		want    string
	}{
		{"nobody answers", []answer{silent, silent}, no},
		{"everybody answers", []answer{icmp, tcp("10.0.0.20"), udp("10.0.0.20")}, kept},
		{"under the machine's address", []answer{icmp, tcp("192.0.2.2"), udp("192.0.2.2")}, rewritten},
		{"under a stranger's address", []answer{icmp, tcp("192.0.2.3"), udp("192.0.2.3")}, "yes, as 192.0.2.3"},
		{"under two addresses", []answer{icmp, tcp("10.0.0.20"), udp("192.0.2.2")}, "yes, from several sources"},
		{"one protocol only", []answer{icmp, silent}, "partly"},
		{"a question that was never put", []answer{{testhost.ICMP, testhost.Result{Reason: testhost.Failed}}, silent}, "could not ask"},
		{"nobody tells the source", []answer{icmp}, yes},
	} {
		if got := judge(c.answers, own); got.outcome != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got.outcome, c.want)
		}
	}
}

func TestAnswersAreNoQuestions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		packet testhost.Packet
		want   bool
	}{
		{testhost.Packet{EtherType: testhost.EtherIPv4, Proto: testhost.ICMP, Type: 8}, true},
		{testhost.Packet{EtherType: testhost.EtherIPv4, Proto: testhost.ICMP, Type: 0}, false},
		{testhost.Packet{Proto: testhost.UDP, SrcPort: 40000, DstPort: testhost.EchoPort}, true},
		{testhost.Packet{Proto: testhost.UDP, SrcPort: testhost.EchoPort, DstPort: 40000}, false},
		{testhost.Packet{Proto: testhost.TCP, Flags: testhost.SYN, DstPort: testhost.EchoPort}, true},
		{testhost.Packet{Proto: testhost.TCP, Flags: testhost.SYN | testhost.ACK, SrcPort: testhost.EchoPort}, false},
	} {
		if got := (question{}).asks(c.packet); got != c.want {
			t.Errorf("%s: got %v, want %v", c.packet, got, c.want)
		}
	}
}
