package netsim

import (
	"testing"

	"pgregory.net/rapid"
)

func TestTimeString(t *testing.T) {
	tests := []struct {
		time Time
		want string
	}{
		{0, "0s"}, {3200 * Millisecond, "3.2s"}, {50 * Millisecond, "50ms"}, {12500, "12.5us"}, {7, "7ns"},
		{-250 * Millisecond, "-250ms"}, {Second + 1, "1.000000001s"}, {-1 << 63, "-9223372036.854775808s"},
	}
	for _, test := range tests {
		if got := test.time.String(); got != test.want {
			t.Errorf("%d is %q, want %q", int64(test.time), got, test.want)
		}
	}
}

func TestTimeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		time := Time(rapid.Int64Range(-9e18, 9e18).Draw(t, "time"))
		if back, err := ParseTime(time.String()); err != nil || back != time {
			t.Fatalf("%d is written %q and read back as %d, %v", int64(time), time, int64(back), err)
		}
	})
}

func TestParseTimeRefuses(t *testing.T) {
	for _, text := range []string{
		"", "5", "s", ".5s", "5.s", "1.2.3s", "5 s", "--5s", "0.5ns", "1.0000000001s", "9300000000s",
		"99999999999999999999s", "1e3s", "5m", "0x5s", "5_0s", "+-5s", "1.+5s",
	} {
		if got, err := ParseTime(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
	for text, want := range map[string]Time{"1.50s": 1500 * Millisecond, "+2s": 2 * Second, "3µs": 3000, "1.000us": 1000} {
		if got, err := ParseTime(text); err != nil || got != want {
			t.Errorf("%q was read as %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestScaleIsExact(t *testing.T) {
	for _, test := range []struct{ amount, part, whole, want Time }{
		{100, 1, 3, 33}, {-100, 1, 3, -33}, {1 << 60, 1 << 59, 1 << 60, 1 << 59}, {7, 0, 5, 0}, {-1 << 62, 9, 9, -1 << 62},
	} {
		if got := scale(test.amount, test.part, test.whole); got != test.want {
			t.Errorf("%d * %d / %d = %d, want %d", test.amount, test.part, test.whole, got, test.want)
		}
	}
}
