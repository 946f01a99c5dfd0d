"use strict";
// Paints clouds: each point a shaded ball in perspective, edges darkened by depth, with WebGL 2. One context paints any
// number of pictures, which land on 2D canvases. Knows arrays of points in the unit sphere and a camera, z up.

const DETAIL = 2; // pixels drawn per pixel shown, both ways
const FIELD = Math.PI / 7; // of view, from top to bottom
const NEAR = 0.1, FAR = 20;
const REST = { azimuth: 35, elevation: 22, distance: 4.4, x: 0, y: 0 }; // degrees; x and y move the picture

const LOOKS = {
  light: { near: [0.09, 0.28, 0.5], far: [0.68, 0.78, 0.87], line: [0.8, 0.84, 0.88], tint: [0.8, 0, 0.5, 0.46] },
  dark: { near: [0.62, 0.81, 0.97], far: [0.16, 0.25, 0.34], line: [0.24, 0.29, 0.34], tint: [0.85, 0.15, 0.4, 0.04] },
};
const AXES = [[0.83, 0.24, 0.24], [0.27, 0.62, 0.27], [0.26, 0.46, 0.87]];

const BALLS = `#version 300 es
in vec3 position;
uniform mat4 view, projection;
uniform float radius, height;
out vec3 centre;
void main() {
  vec4 seen = view * vec4(position, 1);
  centre = seen.xyz;
  gl_Position = projection * seen;
  gl_PointSize = max(2.0, radius * projection[1][1] * height / gl_Position.w);
}`;
const BALL = `#version 300 es
precision highp float;
in vec3 centre;
uniform mat4 projection;
uniform float radius, middle;
uniform vec3 near, far;
out vec4 colour;
void main() {
  vec2 at = vec2(2, -2) * gl_PointCoord + vec2(-1, 1);
  float inside = 1.0 - dot(at, at);
  if (inside < 0.0) discard;
  vec3 normal = vec3(at, sqrt(inside));
  vec4 place = projection * vec4(centre + radius * normal, 1);
  gl_FragDepth = 0.5 + 0.5 * place.z / place.w;
  float light = 0.72 + 0.28 * max(0.0, dot(normal, normalize(vec3(-0.4, 0.6, 0.7))));
  float depth = clamp(0.5 - 0.55 * (centre.z + middle), 0.0, 1.0);
  colour = vec4(light * mix(near, far, depth), 1);
}`;
const LINES = `#version 300 es
in vec3 position;
in vec3 tint;
uniform mat4 view, projection;
out vec3 shade;
void main() { shade = tint; gl_Position = projection * view * vec4(position, 1); }`;
const LINE = `#version 300 es
precision highp float;
in vec3 shade;
out vec4 colour;
void main() { colour = vec4(shade, 1); }`;
const SCREEN = `#version 300 es
void main() { gl_Position = vec4(vec2(gl_VertexID == 1 ? 3 : -1, gl_VertexID == 2 ? 3 : -1), 0, 1); }`;
// Eye-dome lighting: Boucheny, "Visualisation scientifique de grands volumes de données", thesis, Grenoble 2009.
const DOME = `#version 300 es
precision highp float;
uniform sampler2D picture, depths;
uniform vec2 range;
uniform float strength, reach;
out vec4 colour;
float away(ivec2 at) {
  float depth = texelFetch(depths, clamp(at, ivec2(0), textureSize(depths, 0) - 1), 0).r;
  return log2(range.x * range.y / (range.y - depth * (range.y - range.x)));
}
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  colour = texelFetch(picture, at, 0);
  if (colour.a == 0.0) return;
  float here = away(at), hidden = 0.0;
  for (int i = 0; i < 8; i++) {
    float turn = 0.7853982 * float(i);
    hidden += max(0.0, here - away(at + ivec2(round(reach * vec2(cos(turn), sin(turn))))));
  }
  colour.rgb *= exp(-strength * hidden / 8.0);
}`;

class Painter {
  /** Throws where the browser has no WebGL 2. */
  constructor() {
    this.canvas = document.createElement("canvas");
    const gl = (this.gl = this.canvas.getContext("webgl2", { antialias: false }));
    if (!gl) throw new Error("this browser has no WebGL 2, which draws the shapes");
    this.balls = program(gl, BALLS, BALL);
    this.lines = program(gl, LINES, LINE);
    this.dome = program(gl, SCREEN, DOME);
    this.points = gl.createBuffer();
    this.guides = gl.createBuffer();
    this.frame = gl.createFramebuffer();
    this.picture = gl.createTexture();
    this.depths = gl.createTexture();
    this.size = [0, 0];
  }

  /** Paint points (x, y, z, x, ...) on a 2D canvas that has its size, under a camera like REST. `radius` is a ball's in
   * the unit sphere; `guides` draws axes and a grid on the ground; `colour` is red, green, blue of 0 to 255. */
  paint(target, points, camera = REST, { radius = 0.02, dark = false, guides = false, backdrop = null, colour = null } = {}) {
    const gl = this.gl;
    const width = DETAIL * target.width, height = DETAIL * target.height;
    const look = LOOKS[dark ? "dark" : "light"];
    const view = looking(camera), projection = perspective(width / height, camera);
    this.resize(width, height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frame);
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    const floor = guides ? lowest(points) : 0;
    if (guides) this.draw(this.lines, this.guides, grid(floor, look.line), 6, gl.LINES, { view, projection });
    const { near, far } = colour ? shades(colour, look) : look;
    const uniforms = { view, projection, radius, height, near, far, middle: camera.distance };
    this.draw(this.balls, this.points, points, 3, gl.POINTS, uniforms);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, width, height);
    gl.disable(gl.DEPTH_TEST);
    gl.useProgram(this.dome);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.picture);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, this.depths);
    set(gl, this.dome, { picture: [0], depths: [1], range: [NEAR, FAR], strength: 5, reach: Math.max(1, Math.min(3, height / 300)) });
    gl.drawArrays(gl.TRIANGLES, 0, 3);

    const context = target.getContext("2d");
    context.clearRect(0, 0, target.width, target.height);
    if (backdrop) {
      context.fillStyle = backdrop;
      context.fillRect(0, 0, target.width, target.height);
    }
    context.imageSmoothingQuality = "high";
    context.drawImage(this.canvas, 0, 0, target.width, target.height);
    if (guides) letters(context, floor, multiply(projection, view));
  }

  draw(program, buffer, data, each, mode, uniforms) {
    const gl = this.gl;
    gl.useProgram(program);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.STREAM_DRAW);
    for (const [i, name] of ["position", "tint"].slice(0, each / 3).entries()) {
      const at = gl.getAttribLocation(program, name);
      gl.enableVertexAttribArray(at);
      gl.vertexAttribPointer(at, 3, gl.FLOAT, false, 4 * each, 12 * i);
    }
    set(gl, program, uniforms);
    gl.drawArrays(mode, 0, data.length / each);
  }

  resize(width, height) {
    if (this.size[0] === width && this.size[1] === height) return;
    const gl = this.gl;
    this.size = [this.canvas.width, this.canvas.height] = [width, height];
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frame);
    for (const [texture, inside, format, type, point] of [
      [this.picture, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, gl.COLOR_ATTACHMENT0],
      [this.depths, gl.DEPTH_COMPONENT24, gl.DEPTH_COMPONENT, gl.UNSIGNED_INT, gl.DEPTH_ATTACHMENT],
    ]) {
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.texImage2D(gl.TEXTURE_2D, 0, inside, width, height, 0, format, type, null);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
      gl.framebufferTexture2D(gl.FRAMEBUFFER, point, gl.TEXTURE_2D, texture, 0);
    }
  }
}

/** A colour as it looks near and far. */
function shades(colour, { tint: [nearly, light, farther, mist] }) {
  return { near: colour.map((value) => nearly * value / 255 + light), far: colour.map((value) => farther * value / 255 + mist) };
}

function program(gl, vertex, fragment) {
  const made = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error(`WebGL: ${gl.getProgramInfoLog(made)}`);
  return made;
}

function set(gl, program, uniforms) {
  for (const [name, value] of Object.entries(uniforms)) {
    const at = gl.getUniformLocation(program, name);
    if (typeof value === "number") gl.uniform1f(at, value);
    else if (value.length === 16) gl.uniformMatrix4fv(at, false, value);
    else if (value.length === 3) gl.uniform3fv(at, value);
    else if (value.length === 2) gl.uniform2fv(at, value);
    else gl.uniform1i(at, value[0]);
  }
}

// ---- the camera; matrices by columns, as WebGL takes them

function looking({ azimuth, elevation, distance }) {
  const [a, e] = [azimuth, elevation].map((angle) => (angle * Math.PI) / 180);
  const back = [Math.cos(e) * Math.sin(a), -Math.cos(e) * Math.cos(a), Math.sin(e)];
  const right = [Math.cos(a), Math.sin(a), 0];
  const up = [
    back[1] * right[2] - back[2] * right[1], back[2] * right[0] - back[0] * right[2], back[0] * right[1] - back[1] * right[0],
  ];
  const columns = [0, 1, 2].flatMap((k) => [right[k], up[k], back[k], 0]);
  return [...columns, 0, 0, -distance, 1];
}

/** The shorter side has the field of view; x and y shift the picture by shares of it. */
function perspective(aspect, { x, y }) {
  const focal = 1 / Math.tan(FIELD / 2) * Math.min(1, aspect);
  return [focal / aspect, 0, 0, 0, 0, focal, 0, 0, -x, -y, (FAR + NEAR) / (NEAR - FAR), -1, 0, 0, (2 * FAR * NEAR) / (NEAR - FAR), 0];
}

function multiply(a, b) {
  return Array.from({ length: 16 }, (_, i) => [0, 1, 2, 3].reduce((sum, k) => sum + a[(i % 4) + 4 * k] * b[k + 4 * (i >> 2)], 0));
}

// ---- axes and ground

function lowest(points) {
  let low = Infinity;
  for (let i = 2; i < points.length; i += 3) low = Math.min(low, points[i]);
  return Number.isFinite(low) ? low : -1;
}

function grid(floor, line) {
  const data = [];
  for (let i = -4; i <= 4; i++) {
    data.push(i / 4, -1, floor, ...line, i / 4, 1, floor, ...line, -1, i / 4, floor, ...line, 1, i / 4, floor, ...line);
  }
  tips(floor).forEach((tip, k) => data.push(0, 0, floor, ...AXES[k], ...tip, ...AXES[k]));
  return new Float32Array(data);
}

const tips = (floor, length = 1.1) => [[length, 0, floor], [0, length, floor], [0, 0, floor + length]];

function letters(context, floor, matrix) {
  const { width, height } = context.canvas;
  context.font = `${Math.round(Math.max(11, height / 45))}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  tips(floor, 1.18).forEach((tip, k) => {
    const [x, y, , w] = [0, 1, 2, 3].map((row) => [...tip, 1].reduce((sum, value, column) => sum + matrix[row + 4 * column] * value, 0));
    context.fillStyle = `rgb(${AXES[k].map((value) => 255 * value)})`;
    context.fillText("xyz"[k], (0.5 + (0.5 * x) / w) * width, (0.5 - (0.5 * y) / w) * height);
  });
}
