package serve

import (
	"kvmnet/internal/plan"
	"kvmnet/internal/tftp"
)

// setTFTP serves the directories that guests boot from.
func (n *network) setTFTP() {
	wanted := map[plan.TFTP]bool{}
	for _, t := range n.have.TFTP {
		wanted[t] = true
	}
	for t, s := range n.tftp {
		if !wanted[t] {
			n.try(s.Close())
			delete(n.tftp, t)
		}
	}
	for t := range wanted {
		if n.tftp[t] != nil {
			continue
		}
		s, err := tftp.Open(n.place.ns, n.at.device, t)
		if n.try(err); err == nil {
			n.tftp[t] = s
		}
	}
}
