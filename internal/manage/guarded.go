package manage

import (
	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// guard tells what the guest of a port is kept from, and what it was refused. Nobody
// guards a macvtap, nor what others plugged in that is no guest's.
func (v *view) guard(st *api.PortStatus, network string, p *spec.Port, l plan.Link) {
	n := v.running.Networks[network]
	if st.State == "missing" || n == nil || p != nil && p.Type == spec.Macvtap || p == nil && !plan.Guestly(l.Type) {
		return
	}
	st.Guard = n.GuardOf(p).Words()
	for word, frames := range v.refused[l.Index] {
		if st.Refused == nil {
			st.Refused = map[string]uint64{}
		}
		if frames > 0 {
			st.Refused[word] = frames
		}
	}
}
