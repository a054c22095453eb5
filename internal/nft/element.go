package nft

import (
	"fmt"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"kvmnet/internal/plan"
)

// element checks an element of plan against the program and puts it into the
// kernel's form.
func element(e plan.Element) (nftables.SetElement, error) {
	s, ok := shapes[e.Map]
	if !ok {
		return nftables.SetElement{}, fmt.Errorf("the program has no map or set %q", e.Map)
	}
	key, err := s.key.encode(e.ID)
	if err != nil {
		return nftables.SetElement{}, err
	}
	if !s.verdict {
		if e.Value != "" {
			return nftables.SetElement{}, fmt.Errorf("set %s takes no value, got %q", e.Map, e.Value)
		}
		return nftables.SetElement{Key: key}, nil
	}
	chain, ok := strings.CutPrefix(e.Value, "jump ")
	if !ok || !hasChain(chain) {
		return nftables.SetElement{}, fmt.Errorf("%q is not a jump to a chain of the program", e.Value)
	}
	return nftables.SetElement{Key: key, VerdictData: &expr.Verdict{Kind: expr.VerdictJump, Chain: chain}}, nil
}

// verdict prints a kernel verdict in nft's words.
func verdict(code int32, chain string) string {
	switch expr.VerdictKind(code) {
	case expr.VerdictJump:
		return "jump " + chain
	case expr.VerdictGoto:
		return "goto " + chain
	case expr.VerdictAccept:
		return "accept"
	case expr.VerdictDrop:
		return "drop"
	case expr.VerdictReturn:
		return "return"
	}
	return fmt.Sprintf("verdict %d", code)
}
