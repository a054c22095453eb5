package handover

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

func FuzzRequest(f *testing.F) {
	full, _ := json.Marshal(api.OpenPort{Network: "lab", Bridge: "lab0", MAC: spec.MAC{0x52, 0x54}, Queues: 4, Guard: "strict", ByName: true})
	for _, text := range []string{"", "{}", "null", `{"queues":-1}`, `{"network":"lab"} x`, string(full)} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		r, err := parseRequest(packet)
		if err != nil {
			if api.AsError(err).Code != api.CodeInvalid {
				t.Errorf("%q: got %v", packet, err)
			}
			return
		}
		if !r.ByName && (r.Queues < 0 || r.Queues > maxDescriptors || r.Vhost && r.Queues > maxDescriptors/2) {
			t.Errorf("%q: %d queues are taken", packet, r.Queues)
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := parseRequest(again); err != nil || !reflect.DeepEqual(back, r) {
			t.Errorf("%q: written again it is %+v, %v", packet, back, err)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	full, _ := json.Marshal(answer{Opened: &api.Opened{Port: api.Port{Name: "lab-1", Spec: &spec.Port{Network: "lab"}}, Taps: 1}})
	refused, _ := json.Marshal(answer{Error: &api.Error{Code: api.CodeInvalid, Message: "no"}})
	rights := unix.UnixRights(int(os.Stdin.Fd()))
	for _, text := range []string{"", "{}", "null", `{"opened":{"taps":-1,"vhosts":2}}`, string(full), string(refused)} {
		f.Add([]byte(text), rights, 1)
		f.Add([]byte(text), rights[:len(rights)-3], 0)
	}
	f.Fuzz(func(t *testing.T, packet, beside []byte, came int) {
		descriptors(beside) // is not ours to close here: nothing was received
		opened, err := parseAnswer(packet, came)
		if err == nil && (opened.Port.Spec == nil || opened.Taps+opened.Vhosts != came) {
			t.Errorf("%q with %d descriptors: got %+v", packet, came, opened)
		}
	})
}
