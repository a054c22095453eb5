package dns

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"kvmnet/internal/captured"
)

// raw joins a header with the given flags and counts and a body in hex.
func raw(flags, counts, body string) []byte {
	b, err := hex.DecodeString("1267" + flags + counts + strings.ReplaceAll(body, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

const (
	vm1A = "03564d31 036c6162 08696e7465726e616c 00 0001 0001" // VM1.lab.internal. A IN
	one  = "0001000000000000"
	opt  = "0001000000000001"
)

func TestVerdictsOnMessages(t *testing.T) {
	t.Parallel()
	label := "3f" + strings.Repeat("61", 63)
	for _, c := range []struct {
		what string
		b    []byte
		want int
	}{
		{"empty", nil, silence},
		{"half a header", raw("0100", one, vm1A)[:11], silence},
		{"an answer", raw("8180", one, vm1A), silence},
		{"a query", raw("0100", one, vm1A), 0},
		{"status", raw("1000", one, vm1A), dns.RcodeNotImplemented},
		{"notify", raw("2000", one, vm1A), dns.RcodeNotImplemented},
		{"update", raw("2800", one, vm1A), dns.RcodeNotImplemented},
		{"no question", raw("0100", "0000000000000000", ""), dns.RcodeFormatError},
		{"two questions", raw("0100", "0002000000000000", vm1A+vm1A), dns.RcodeFormatError},
		{"with answers", raw("0100", "0001000100000000", vm1A), dns.RcodeFormatError},
		{"with authority", raw("0100", "0001000000010000", vm1A), dns.RcodeFormatError},
		{"name cut off", raw("0100", one, "03564d"), dns.RcodeFormatError},
		{"name without end", raw("0100", one, "03564d31"), dns.RcodeFormatError},
		{"type cut off", raw("0100", one, "00 00"), dns.RcodeFormatError},
		{"compressed", raw("0100", one, "c00c 0001 0001"), dns.RcodeFormatError},
		{"label type 01", raw("0100", one, "40 00 0001 0001"), dns.RcodeFormatError},
		{"longest name", raw("0100", one, label+label+label+"3d"+strings.Repeat("61", 61)+"00 0001 0001"), 0},
		{"name too long", raw("0100", one, label+label+label+"3e"+strings.Repeat("61", 62)+"00 0001 0001"), dns.RcodeFormatError},
		{"the root", raw("0100", one, "00 0002 0001"), 0},
		{"class CH", raw("0100", one, "00 0010 0003"), dns.RcodeRefused},
		{"class ANY", raw("0100", one, "00 0010 00ff"), 0},
		{"AXFR", raw("0100", one, "00 00fc 0001"), dns.RcodeRefused},
		{"IXFR", raw("0100", one, "00 00fb 0001"), dns.RcodeRefused},
		{"ANY", raw("0100", one, "00 00ff 0001"), 0},
		{"MAILA", raw("0100", one, "00 00fe 0001"), dns.RcodeNotImplemented},
		{"TKEY", raw("0100", one, "00 00f9 0001"), dns.RcodeNotImplemented},
		{"type OPT", raw("0100", one, "00 0029 0001"), dns.RcodeFormatError},
		{"type 0", raw("0100", one, "00 0000 0001"), dns.RcodeFormatError},
		{"unknown type", raw("0100", one, "00 ff00 0001"), 0},
		{"EDNS", raw("0100", opt, vm1A+"00 0029 1000 00000000 0000"), 0},
		{"EDNS with a cookie", raw("0100", opt, vm1A+"00 0029 1000 00000000 000c 000a0008 0102030405060708"), 0},
		{"EDNS 1", raw("0100", opt, vm1A+"00 0029 1000 00010000 0000"), dns.RcodeBadVers},
		{"EDNS cut off", raw("0100", opt, vm1A+"00 0029 1000 00000000 0009"), dns.RcodeFormatError},
		{"EDNS missing", raw("0100", opt, vm1A), dns.RcodeFormatError},
		{"EDNS of a name", raw("0100", opt, vm1A+"0161 00 0029 1000 00000000 0000"), dns.RcodeFormatError},
		{"EDNS twice", raw("0100", "0001000000000002", vm1A+"00 0029 1000 00000000 0000 00 0029 1000 00000000 0000"), dns.RcodeFormatError},
		{"other additional", raw("0100", "0001000000000002", vm1A+"c00c 0001 0001 00000000 0004 01020304 00 0029 1000 00000000 0000"), 0},
		{"trailing bytes", raw("0100", one, vm1A+"ffff"), 0},
	} {
		var q query
		if got := q.read(c.b, false); got != c.want {
			t.Errorf("%s: %d, want %d", c.what, got, c.want)
		}
	}
}

func TestAnswersToWhatIsNoQuery(t *testing.T) {
	t.Parallel()
	s := offline(t, labPlan(), Options{})
	for _, c := range []struct{ what, ask, want string }{
		{"status", "1000" + one + vm1A, "9084 0000000000000000"},
		{"two questions", "0100" + "0002000000000000" + vm1A, "8181 0000000000000000"},
		{"class CH", "0110" + one + "00 0010 0003", "8195 0001000000000000 00 0010 0003"},
		{"EDNS 1", "0100" + opt + "00 0002 0001" + "00 0029 1000 00018000 0000", "8180 0001000000000001 00 0002 0001 00 0029 04d0 01008000 0000"},
	} {
		got := hex.EncodeToString(s.ask(raw("", "", c.ask), guest, false))
		if want := "1267" + strings.ReplaceAll(c.want, " ", ""); got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.what, got, want)
		}
	}
	if c := s.Counters(); c.Malformed != 1 || c.Queries != 4 {
		t.Errorf("counted %+v", c)
	}
}

// FuzzQuery throws bytes at a server. What comes back can be parsed, has the id
// and the question that was asked, is not longer than the client takes, and is
// the same when asked again: by the slow path first, then by the fast one.
func FuzzQuery(f *testing.F) {
	for _, q := range questions {
		if kind, ok := dns.StringToType[q.kind]; ok && !strings.Contains(q.want, "→") {
			m := new(dns.Msg).SetQuestion(q.name, kind)
			if b, err := m.Pack(); err == nil {
				f.Add(b)
			}
		}
	}
	for _, c := range captured.Read(f) {
		f.Add(c.Payload)
	}
	f.Add(raw("0100", opt, vm1A+"00 0029 1000 00000000 000c 000a0008 0102030405060708"))
	f.Add(raw("0100", "0001000000000002", vm1A+"c00c 0001 0001 00000000 0004 01020304 00 0029 1000 00018000 0000"))
	s := offline(f, labPlan(), Options{Names: labNames()}) // no resolvers: all else fails at once
	f.Fuzz(func(t *testing.T, b []byte) {
		before := slices.Clone(b)
		for _, stream := range []bool{false, true} {
			first := s.ask(b, guest, stream)
			if again := s.ask(b, guest, stream); string(again) != string(first) {
				t.Errorf("answered\n% x and then\n% x", first, again)
			}
			checkAnswer(t, b, first, stream)
		}
		if !slices.Equal(b, before) {
			t.Error("the query was changed")
		}
	})
}

func checkAnswer(t *testing.T, b, out []byte, stream bool) {
	if len(out) == 0 {
		if len(b) >= headerLen && b[2]&0x80 == 0 {
			t.Errorf("no answer to % x", b)
		}
		return
	}
	m := &dns.Msg{}
	if err := m.Unpack(out); err != nil {
		t.Fatalf("answer % x: %v", out, err)
	}
	if out[0] != b[0] || out[1] != b[1] || !m.Response || m.Opcode != int(b[2]>>3&15) {
		t.Errorf("answer with another head: %v", m)
	}
	if len(m.Question) == 1 {
		if end := skipName(out, headerLen) + 4; string(out[headerLen:end]) != string(b[headerLen:end]) {
			t.Errorf("question % x, was % x", out[headerLen:end], b[headerLen:end])
		}
	}
	var q query
	if q.read(b, stream); len(out) > q.limit {
		t.Errorf("%d bytes, the client takes %d", len(out), q.limit)
	}
}
