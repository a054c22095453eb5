package manage

import (
	"slices"
	"testing"

	"kvmnet/internal/spec"
)

// The rooms agree on what kinds there are.
func TestKindsAreThoseOfSpec(t *testing.T) {
	var list []string
	for _, k := range kinds {
		list = append(list, k.name)
	}
	if !slices.Equal(list, spec.Kinds) {
		t.Errorf("got %v, want %v", list, spec.Kinds)
	}
}
