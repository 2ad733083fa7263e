// The npm package smpp as SMSC: `node_smsc.js`, prints `ready PORT`, then one JSON line per submit_sm;
// each JSON line on stdin is a message of a handset to deliver.
// What each SMSC here does is told in ../README.md.
'use strict';
const readline = require('readline');
const smpp = require('smpp');

const { PEER_STRANGER, PEER_CALL, PEER_MO } = process.env;
const sessions = new Set();
const throttled = new Set();
let messages = 0;

// A receipt or message goes out on any session of that system_id that may receive.
function receiver(session) {
  if (session.mode !== 'bind_transmitter') return session;
  return [...sessions].find(s => s.systemId === session.systemId && s.mode !== 'bind_transmitter');
}

function status(pdu, text) {
  if (pdu.source_addr === PEER_STRANGER) return smpp.ESME_RINVSRCADR;
  const burst = /^burst (\d+)$/.exec(text);
  if (burst && Number(burst[1]) > 5 && !throttled.has(text)) {
    throttled.add(text);
    return smpp.ESME_RTHROTTLED;
  }
  return smpp.ESME_ROK;
}

function submitted(session, pdu) {
  // A submit_sm that ends early comes without the fields it lacks.
  const body = pdu.short_message?.message ?? '';
  const text = Buffer.isBuffer(body) ? body.toString('latin1') : body;
  const udh = pdu.short_message?.udh ? Buffer.concat(pdu.short_message.udh).toString('hex') : null;
  const command_status = status(pdu, text);
  const message_id = command_status ? '' : `n-${(++messages).toString(16).padStart(6, '0')}`;
  console.log(JSON.stringify({
    event: 'submit', source: pdu.source_addr, destination: pdu.destination_addr,
    data_coding: pdu.data_coding, udh, text, status: command_status,
  }));
  session.send(pdu.response({ command_status, message_id }));
  const to = receiver(session);
  if (command_status || !to) return;
  const back = {
    source_addr_ton: pdu.dest_addr_ton, source_addr_npi: pdu.dest_addr_npi, source_addr: pdu.destination_addr,
    dest_addr_ton: pdu.source_addr_ton, dest_addr_npi: pdu.source_addr_npi, destination_addr: pdu.source_addr,
  };
  if (pdu.registered_delivery & 1) {
    // Not before the answer is dealt with: on another bind it could overtake it.
    setTimeout(() => to.deliver_sm({
      ...back, esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
      short_message: `id:${message_id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD err:000 text:`,
      receipted_message_id: message_id, message_state: smpp.MESSAGE_STATE.DELIVERED,
    }), 100);
  }
  if (text === PEER_CALL) to.deliver_sm({ ...back, short_message: PEER_MO });
}

// What a handset writes goes out on any session that may receive.
readline.createInterface({ input: process.stdin }).on('line', line => {
  const { source, destination, text } = JSON.parse(line);
  const to = [...sessions].find(s => s.mode && s.mode !== 'bind_transmitter');
  to?.deliver_sm({
    source_addr_ton: 1, source_addr_npi: 1, source_addr: source,
    dest_addr_ton: 5, dest_addr_npi: 0, destination_addr: destination, short_message: text,
  });
});

const server = smpp.createServer(session => {
  sessions.add(session);
  session.on('close', () => sessions.delete(session));
  session.on('error', () => session.destroy());
  for (const bind of ['bind_transceiver', 'bind_transmitter', 'bind_receiver']) {
    session.on(bind, pdu => {
      session.mode = bind;
      session.systemId = pdu.system_id;
      session.send(pdu.response({ system_id: 'node-smsc' }));
    });
  }
  session.on('submit_sm', pdu => submitted(session, pdu));
  session.on('enquire_link', pdu => session.send(pdu.response()));
  session.on('unbind', pdu => {
    session.send(pdu.response());
    session.close();
  });
});
server.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`));
