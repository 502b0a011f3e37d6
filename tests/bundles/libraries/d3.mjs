// A chart as SVG, and layouts as numbers.

import * as d3 from 'd3';

export default function run(stage) {
  const values = d3.range(40).map((i) => ({ x: i, y: Math.sin(i / 4) * i }));
  const x = d3.scaleLinear(d3.extent(values, (d) => d.x), [0, 200]);
  const y = d3.scaleLinear(d3.extent(values, (d) => d.y), [100, 0]).nice();
  const svg = d3.select(stage).append('svg').attr('viewBox', '0 0 200 100');
  svg.append('path').attr('d', d3.line((d) => x(d.x), (d) => y(d.y)).curve(d3.curveCatmullRom)(values));
  svg.selectAll('circle').data(values).join('circle').attr('cx', (d) => x(d.x)).attr('fill', (d) => d3.interpolateViridis(d.x / 40));
  svg.append('g').call(d3.axisBottom(x).ticks(5));
  const nodes = d3.range(12).map((index) => ({ index }));
  d3.forceSimulation(nodes).force('charge', d3.forceManyBody()).force('x', d3.forceX()).force('y', d3.forceY()).stop().tick(30);
  const tree = d3.pack().size([90, 90])(d3.hierarchy({ children: nodes.map(({ index }) => ({ value: index + 1 })) }).sum((d) => d.value));
  return {
    svg: svg.node().outerHTML,
    forced: nodes.map(({ x, y }) => [x.toFixed(6), y.toFixed(6)]),
    packed: tree.leaves().map(({ r }) => r.toFixed(6)),
    voronoi: d3.Delaunay.from(values.map(({ x, y }) => [x, y])).triangles.length,
    geo: d3.geoPath(d3.geoOrthographic().rotate([20, -30]))({ type: 'Sphere' }),
    csv: d3.csvParse('a,b\n1,"x,y"\n2,z'),
    date: d3.utcFormat('%Y-%m-%d %B')(new Date(86_400_000 * 365)),
  };
}
