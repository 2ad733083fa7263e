// The npm package smpp as ESME: `node_client.js HOST PORT SCENARIO`; reports as clients/report.py tells.
'use strict';
const smpp = require('smpp');

const env = process.env;
const WAIT = Number(env.PEER_WAIT) * 1000;
const say = (step, seen = {}) => console.log(JSON.stringify({ step, ...seen }));

async function step(name, work) {
  try {
    say(name, await work());
  } catch (error) {
    say(name, { error: String(error) });
  }
}

function within(promise) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error('no answer in time')), WAIT); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

class Esme {
  constructor(host, port) {
    this.delivered = [];
    this.waiting = [];
    this.session = smpp.connect({ host, port });
    this.closed = new Promise(resolve => this.session.on('close', resolve));
    this.session.on('error', error => console.error(error));
    this.session.on('enquire_link', pdu => this.session.send(pdu.response()));
    this.session.on('deliver_sm', pdu => {
      this.session.send(pdu.response());
      this.delivered.push(pdu);
      this.waiting.splice(0).forEach(look => look());
    });
  }

  request(command, fields = {}) {
    return within(new Promise(resolve => this.session[command](fields, resolve)));
  }

  async bind(command) {
    const answer = await this.request(command, { system_id: env.PEER_SYSTEM_ID, password: env.PEER_PASSWORD });
    return { status: answer.command_status };
  }

  async submit(sender, fields) {
    const answer = await this.request('submit_sm', {
      source_addr_ton: 5, source_addr_npi: 0, source_addr: sender,
      dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: env.PEER_TO, ...fields,
    });
    return { status: answer.command_status, message_id: answer.message_id };
  }

  offer(to) {
    return this.submit(env.PEER_OFFERER, { destination_addr: to, short_message: env.PEER_OFFER });
  }

  async heard() {
    say('listening');
    return { text: (await this.deliver(false)).short_message.message };
  }

  async lost() {
    say('up');
    await step('lost', async () => {
      await within(this.closed);
      return { closed: true };
    });
  }

  // The next deliver_sm that is a receipt, or the next that is a message.
  deliver(receipt) {
    return within(new Promise(resolve => {
      const look = () => {
        const at = this.delivered.findIndex(pdu => Boolean(pdu.esm_class & 0x3c) === receipt);
        if (at < 0) this.waiting.push(look);
        else resolve(this.delivered.splice(at, 1)[0]);
      };
      look();
    }));
  }

  async unbind() {
    const answer = await this.request('unbind');
    this.session.close();
    return { status: answer.command_status };
  }
}

async function receiptAndMo(sending, receiving) {
  await step('submit', () => sending.submit(env.PEER_SENDER, { short_message: env.PEER_TEXT, registered_delivery: 1 }));
  await step('receipt', async () => {
    const pdu = await receiving.deliver(true);
    return { esm_class: pdu.esm_class, text: pdu.short_message.message };
  });
  await step('mo', async () => {
    await sending.submit(env.PEER_SENDER, { short_message: env.PEER_CALL });
    return { text: (await receiving.deliver(false)).short_message.message };
  });
}

function parts() {
  const chunks = env.PEER_LONG.match(/.{1,153}/g);
  return chunks.map((message, at) => ({ udh: Buffer.from([5, 0, 3, 7, chunks.length, at + 1]), message }));
}

const burst = () => Array.from({ length: Number(env.PEER_BURST) }, (_, at) => `burst ${String(at + 1).padStart(2, '0')}`);

const scenarios = {
  async transceiver(connect) {
    const esme = connect();
    await step('bind', () => esme.bind('bind_transceiver'));
    await receiptAndMo(esme, esme);
    await step('long', async () => {
      const sent = parts().map(short_message => esme.submit(env.PEER_SENDER, { esm_class: 0x40, short_message }));
      return { statuses: (await Promise.all(sent)).map(answer => answer.status) };
    });
    await step('ucs2', () => esme.submit(env.PEER_SENDER, { data_coding: 8, short_message: env.PEER_UCS2 }));
    await step('enquire_link', async () => ({ status: (await esme.request('enquire_link')).command_status }));
    await step('refused', () => esme.submit(env.PEER_STRANGER, { short_message: env.PEER_TEXT }));
    await step('throttled', async () => {
      const sent = burst().map(short_message => esme.submit(env.PEER_BURSTER, { short_message }));
      return { statuses: (await Promise.all(sent)).map(answer => answer.status) };
    });
    await new Promise(resolve => setTimeout(resolve, Number(env.PEER_PAUSE) * 1000));
    await step('later', () => esme.submit(env.PEER_BURSTER, { short_message: 'burst late' }));
    await step('unbind', () => esme.unbind());
  },
  async two_binds(connect) {
    const sending = connect();
    const receiving = connect();
    await step('bind_transmitter', () => sending.bind('bind_transmitter'));
    await step('bind_receiver', () => receiving.bind('bind_receiver'));
    await receiptAndMo(sending, receiving);
    await step('unbind_transmitter', () => sending.unbind());
    await step('unbind_receiver', () => receiving.unbind());
  },
  async loss(connect) {
    const esme = connect();
    await step('bind', () => esme.bind('bind_transceiver'));
    await step('submit', () => esme.submit(env.PEER_SENDER, { short_message: env.PEER_TEXT }));
    await esme.lost();
  },
  async stop(connect) {
    const esme = connect();
    await step('bind', () => esme.bind('bind_transceiver'));
    await step('offer', () => esme.offer(env.PEER_TO));
    await step('heard_stop', () => esme.heard());
    await step('opted_out', () => esme.offer(env.PEER_TO));
    await step('other', () => esme.offer(env.PEER_OTHER));
    await esme.lost();
  },
  async start(connect) {
    const esme = connect();
    await step('bind_again', () => esme.bind('bind_transceiver'));
    await step('still_out', () => esme.offer(env.PEER_TO));
    await step('heard_start', () => esme.heard());
    await step('opted_in', () => esme.offer(env.PEER_TO));
    await step('unbind', () => esme.unbind());
  },
};

const [host, port, scenario] = process.argv.slice(2);
// What is still open when the scenario is over is not waited for.
scenarios[scenario](() => new Esme(host, Number(port))).then(() => process.exit(0));
