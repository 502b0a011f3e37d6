import { Component, h } from 'preact';

export class Later extends Component {
  state = { at: 'first' };

  componentDidMount() {
    this.setState({ at: 'then' });
  }

  render(_, { at }) {
    return h('em', { style: { color: 'tomato' } }, at);
  }
}
