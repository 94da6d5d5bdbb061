package clock

import . "time"

func hidden() {
	Sleep(Second) // want "^clock: time.Sleep"
}
