package lab

import (
	"io"
	"testing"

	"kvmnet/internal/testhost"
)

// by asks by one kind of traffic and tells the answer in one word of the table.
func by(t *testing.T, from *party, q question, want string) {
	t.Helper()
	q.from, q.hope = from, want != no
	if v := plain(want, q.put(t.Context())); v.outcome != want {
		t.Errorf("%s → %s by %v: got %q, want %q (%s)", from.name, q.to, q.kinds(), v.outcome, want, v.detail)
	}
}

func TestExampleRoutersKeepTheirRulesApart(t *testing.T) {
	t.Parallel()
	d := start(t, "08-routers.yaml", io.Discard)
	red, blue, green := d.find("red"), d.find("blue"), d.find("green")
	if red.seats[0].addr != green.seats[0].addr {
		t.Errorf("guests have %v and %v; they are to have the same", red.seats[0].addr, green.seats[0].addr)
	}
	web := []traffic{{testhost.TCP, 80}, {testhost.TCP, 443}}
	for f, want := range map[family][2]string{v4: {"192.168.1.101", "192.168.1.111"}, v6: {"fd00:1::101", "fd00:1::111"}} {
		to := farAddr.addr(f)
		by(t, red.guests[0], question{to: to}, as+want[0])
		by(t, blue.guests[0], question{to: to, traffics: web}, as+want[1])
		by(t, blue.guests[0], question{to: to}, no)
		by(t, green.guests[0], question{to: to}, no)
		by(t, green.guests[0], question{to: to, traffics: web}, no)
		by(t, red.guests[0], question{to: blue.guests[0].addr.addr(f)}, no)
		by(t, blue.guests[0], question{to: red.guests[0].addr.addr(f), traffics: web}, no)
		by(t, green.guests[0], question{to: green.guests[1].addr.addr(f)}, kept)
	}
	holds(t, d)
}

func TestExampleForwardsAndPolicies(t *testing.T) {
	t.Parallel()
	d := start(t, "09-forwards-policy.yaml", io.Discard)
	holds(t, d)
}
