"use strict";
// Passes on what the microphone gives, as it is.
registerProcessor("recorder", class extends AudioWorkletProcessor {
  process([input]) {
    if (input && input[0]) this.port.postMessage(input[0].slice());
    return true;
  }
});
