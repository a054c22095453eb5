package specfile

import (
	"testing"

	"pgregory.net/rapid"

	"kvmnet/internal/specfile/specgen"
)

func TestGeneratedSpecsSurviveFormatAndParse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) { roundTrip(t, specgen.Spec(t)) })
}
